"""
Exports an app while its records are created, deleted and moved.

    python -m tests.bulk.churn --rounds 200

Every record that was there from the first request to the last must be in the export once, however
the server answers a cursor that is gone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, get_args

import anyio
import httpx

from talkjs_async import AsyncTalkJS, RetryPolicy, TalkJSError
from talkjs_async.bulk import export, send_messages, upsert_conversations, upsert_users
from talkjs_async.emulator import Emulator, Limits

Answer = Literal["reject", "empty", "start"]
"""What the server answers when a cursor is gone: the switch of that name."""
ANSWERS: Final[tuple[Answer, ...]] = get_args(Answer)


def client(emulator: Emulator, transport: httpx.AsyncBaseTransport) -> AsyncTalkJS:
    return AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        transport=transport,
        clock=emulator.clock,
        retry=RetryPolicy(attempts=1),
    )


class Churn(httpx.AsyncBaseTransport):
    """Changes the app between the requests of an export, with preference for the last of a page."""

    def __init__(self, emulator: Emulator, seed: int, *, p: float, cut: float = 0.0) -> None:
        self._inner = emulator.transport
        self._random = random.Random(seed)
        self._p, self._cut = p, cut
        self._talkjs = client(emulator, emulator.transport)
        self._made = 0
        self.deleted: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._random.random() < self._cut:
            raise httpx.ReadError("cut", request=request)
        response = await self._inner.handle_async_request(request)
        path = request.url.path.split("/")[3:]
        if request.method == "GET" and self._random.random() < self._p:
            records = json.loads(await response.aread()).get("data") or []
            # What has just been deleted cannot be deleted or moved again.
            with suppress(TalkJSError):
                await self._change(path, records)
        return response

    async def _change(self, path: list[str], records: list[dict[str, Any]]) -> None:
        talkjs, self._made = self._talkjs, self._made + 1
        what = self._random.choice(("delete last", "delete any", "create", "move"))
        if what == "create":
            await talkjs.users.upsert(f"new{self._made}", name="x")
            await talkjs.conversations.upsert(f"n{self._made}", participants=["u0"])
            await talkjs.messages.send(f"n{self._made}", sender="u0", text="new")
        elif what == "move" and path[0] == "conversations" and records:
            chat = path[1] if len(path) > 2 else self._random.choice(records)["id"]
            if chat not in self.deleted and chat.startswith("c"):
                await talkjs.messages.send(chat, sender="u0", text="moved")
        elif records and path[0] == "conversations":
            record = records[-1] if what == "delete last" else self._random.choice(records)
            self.deleted.add(record["id"])
            if len(path) > 2:
                await talkjs.messages.delete(path[1], message_id=record["id"])
            else:
                await talkjs.conversations.delete(record["id"])


async def round_(seed: int, answer: Answer, cut: float = 0.0) -> int:
    """
    Export once, resuming after each cut.

    Returns:
        How many records were deleted meanwhile.
    """
    emulator = Emulator(limits=Limits.off())
    emulator.switches.unknown_cursor = answer
    chance = random.Random(seed)
    sizes = [chance.choice((0, 1, 30, 99, 100, 101, 250)) for _ in range(chance.randint(1, 70))]
    async with client(emulator, emulator.transport) as talkjs:
        await upsert_users(talkjs, ({"id": f"u{n}", "name": "x"} for n in range(230)))
        chats = ({"id": f"c{n}", "participants": ["u0"]} for n in range(len(sizes)))
        await upsert_conversations(talkjs, chats)
        await send_messages(
            talkjs,
            (
                {"conversation_id": f"c{n}", "sender": "u0", "text": f"{k}"}
                for n, size in enumerate(sizes)
                for k in range(size)
            ),
        )
        before = await _all(talkjs)
    churn = Churn(emulator, seed, p=0.5, cut=cut)
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "export"
        async with client(emulator, churn) as talkjs:
            while True:
                try:
                    assert (await export(talkjs, target)).ok
                    break
                except TalkJSError:
                    if not cut:
                        raise
        found = {name: _ids_in(target / f"{name}.jsonl") for name in before}
    async with client(emulator, emulator.transport) as talkjs:
        after = await _all(talkjs)
    for name, ids in before.items():
        missing = (ids & after[name]) - found[name].keys()
        twice = [id_ for id_, count in found[name].items() if count > 1]
        assert not missing, f"{name}: {len(missing)} missing of {len(ids)}"
        assert not twice, f"{name}: {len(twice)} twice"
    return len(churn.deleted)


def _ids_in(path: Path) -> Counter[str]:
    return Counter(json.loads(line)["id"] for line in path.read_bytes().splitlines())


async def _all(talkjs: AsyncTalkJS) -> dict[str, set[str]]:
    chats = [chat.id async for chat in talkjs.conversations.list()]
    messages = [message.id for chat in chats async for message in talkjs.messages.list(chat)]
    users = {user.id async for user in talkjs.users.list()}
    return {"users": users, "conversations": set(chats), "messages": set(messages)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="for each answer")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Half of them are interrupted; none would prove nothing.
    rounds = max(1, options.rounds // 2)
    for answer in ANSWERS:
        for cut in (0.0, 0.05):
            began, deleted = time.monotonic(), 0
            for number in range(rounds):
                seed = options.seed + number
                deleted += anyio.run(round_, seed, answer, cut)
            sys.stdout.write(
                f"{answer}{', interrupted' if cut else ''}: {rounds} exports, "
                f"{deleted} records deleted meanwhile: every record that was there throughout is "
                f"there once ({time.monotonic() - began:.0f} s)\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
