"""
Everything of one app into files, and from there into another app, both inside this process.

Run it with `python examples/export_and_restore.py`.
"""

import tempfile
from pathlib import Path

import anyio

from talkjs_async import AsyncTalkJS, bulk
from talkjs_async.emulator import Emulator


async def main() -> None:
    old, new = Emulator(app_id="old"), Emulator(app_id="new")
    async with AsyncTalkJS(**old.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("trip", participants=["alice"], subject="Our trip")
        for number in range(25):
            await talkjs.messages.send("trip", sender="alice", text=f"Idea {number}")

        with tempfile.TemporaryDirectory() as directory:
            # Interrupted? The same call goes on where it was.
            exported = await bulk.export(talkjs, directory)
            print(f"exported {exported.done} records:")
            for file in sorted(Path(directory).glob("*.jsonl")):
                print(f"  {file.name}: {len(file.read_text('utf-8').splitlines())} lines")

            async with AsyncTalkJS(**new.options) as other:
                restored = await bulk.restore(
                    other, directory, journal=Path(directory) / "restore.journal"
                )
                print(f"restored {restored.done}, {restored.failed} failed")
                latest = await other.messages.list("trip").first()
                print(f"the latest message there: {latest.plain_text() if latest else None}")


anyio.run(main)
