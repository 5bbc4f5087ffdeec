"""
Two people talk, on a TalkJS that runs inside this process: no account, no network.

Run it with `python examples/quickstart.py`. To talk to the real TalkJS, set TALKJS_APP_ID and
TALKJS_SECRET_KEY and build the client as `AsyncTalkJS()`.
"""

import anyio

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator


async def main() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(**emulator.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.users.upsert("bob", name="Bob", email=["bob@example.com"])
        await talkjs.conversations.upsert("trip", participants=["alice", "bob"], subject="Our trip")

        await talkjs.messages.send("trip", sender="alice", text="Shall we go to *Cardiff*?")
        await talkjs.messages.send("trip", sender="bob", text="Gladly. Friday?")

        print("The conversation, newest message first:")
        async for message in talkjs.messages.list("trip"):
            print(f"  {message.created_at:%H:%M:%S}  {message.sender_id}: {message.plain_text()}")

        print("2,000 requests at once, against 600 and then 9 per second:")
        started = emulator.clock.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(2_000):
                tasks.start_soon(talkjs.users.get, "bob")
        refused = sum(exchange.status == 429 for exchange in emulator.requests)
        took = emulator.clock.monotonic() - started
        print(f"  all answered after {took:.0f} s of the emulator's time, {refused} refused")
        print(f"  {talkjs.budget}")


anyio.run(main)
