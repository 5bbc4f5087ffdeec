"""
Stream a long list, stop in the middle, go on in the next run where this one was.

Run it with `python examples/stream_and_resume.py`.
"""

import tempfile
from pathlib import Path

import anyio

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator

PAGES_PER_RUN = 2


async def one_run(talkjs: AsyncTalkJS, bookmark: Path) -> tuple[int, bool]:
    """Read a few pages; say how many users came and whether there are more."""
    after = bookmark.read_text("utf-8") if bookmark.exists() else None
    count = pages = 0
    async for page in talkjs.users.list(starting_after=after).pages():
        count += len(page)  # your work with page.items goes here
        if page.cursor is None:
            bookmark.unlink(missing_ok=True)
            return count, False
        # After the work: a run that dies does its last page again.
        bookmark.write_text(page.cursor, "utf-8")
        pages += 1
        if pages == PAGES_PER_RUN:
            return count, True
    return count, False


async def main() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(**emulator.options) as talkjs:
        for start in range(0, 550, 50):
            await talkjs.users.upsert_many(
                {f"user-{n}": {"name": f"User {n}"} for n in range(start, start + 50)}
            )
        with tempfile.TemporaryDirectory() as directory:
            more, run = True, 0
            while more:
                run += 1
                count, more = await one_run(talkjs, Path(directory) / "bookmark")
                print(f"run {run}: {count} users")


anyio.run(main)
