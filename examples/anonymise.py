"""
A user wants to be forgotten: first look at what would be overwritten, then do it.

Run it with `python examples/anonymise.py`. TalkJS cannot delete a user; these are its own steps.
"""

import anyio

from talkjs_async import AsyncTalkJS, bulk
from talkjs_async.emulator import Emulator


async def main() -> None:
    emulator = Emulator()
    async with AsyncTalkJS(**emulator.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice Miller", email=["alice@example.com"])
        await talkjs.users.upsert("shop", name="Shop")
        await talkjs.conversations.upsert("order-7", participants=["alice", "shop"])
        await talkjs.messages.send("order-7", sender="alice", text="I live in Mill Lane 3.")
        await talkjs.messages.send("order-7", sender="shop", text="Thanks!")

        plan = await bulk.anonymise_user(talkjs, "alice", dry_run=True)
        print(f"would change {plan.planned} records")

        report = await bulk.anonymise_user(talkjs, "alice")
        print(f"changed {report.done} records")
        user = await talkjs.users.get("alice")
        print(f"name: {user.name!r}, e-mail: {list(user.email)}")
        async for message in talkjs.messages.list("order-7"):
            print(f"  {message.sender_id}: {message.plain_text()}")


anyio.run(main)
