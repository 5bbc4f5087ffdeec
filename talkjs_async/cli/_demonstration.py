"""`talkjs-async demo`: two people talk, on a TalkJS inside this process."""

from __future__ import annotations

import anyio

from talkjs_async.cli._output import write
from talkjs_async.client import AsyncTalkJS
from talkjs_async.emulator import Emulator

_REQUESTS = 2_000


def run() -> None:
    """Show it."""
    anyio.run(_talk)


async def _talk() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        transport=emulator.transport,
        clock=emulator.clock,
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.users.upsert("bob", name="Bob", email=["bob@example.com"])
        await talkjs.conversations.upsert("trip", participants=["alice", "bob"], subject="Our trip")
        await talkjs.messages.send("trip", sender="alice", text="Shall we go to *Cardiff*?")
        await talkjs.messages.send("trip", sender="bob", text="Gladly. Friday?")
        write("The conversation, newest message first:")
        async for message in talkjs.messages.list("trip"):
            write(f"  {message.created_at:%H:%M:%S}  {message.sender_id}: {message.plain_text()}")

        write(f"{_REQUESTS:,} requests at once, against 600 and then 9 per second:")
        began = emulator.clock.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(_REQUESTS):
                tasks.start_soon(talkjs.users.get, "bob")
        took = emulator.clock.monotonic() - began
        refused = sum(exchange.status == 429 for exchange in emulator.requests)
        write(f"  all answered after {took:.0f} s of the emulator's time, {refused} refused")
        write(f"  {talkjs.budget}")
