"""
A bot in a FastAPI app, on a TalkJS that runs inside this process: `python examples/fastapi_app.py`.

For the real TalkJS, set TALKJS_APP_ID and TALKJS_SECRET_KEY, run `uvicorn examples.fastapi_app:app`
and give https://<your host>/webhooks/talkjs to the dashboard.

    pip install 'talkjs-async[fastapi]' uvicorn
"""

import asyncio
import os
import socket

import uvicorn
from fastapi import FastAPI

from talkjs_async import AsyncTalkJS, TalkJSError, escape_markup
from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.fastapi import lifespan, talkjs_exception_handler, webhook_router
from talkjs_async.models.events import MessageSent

bot = webhook_router("/webhooks/talkjs")


@bot.on(MessageSent)
async def answer(event: MessageSent, talkjs: AsyncTalkJS) -> None:
    heard = event.message
    if heard.sender_id not in {None, "bot"}:  # its own answers come by here as well
        text = f"You said: {escape_markup(heard.plain_text())}"
        await talkjs.messages.send(
            heard.conversation_id, sender="bot", text=text, idempotency_key=event.id
        )


app = FastAPI(lifespan=lifespan, exception_handlers={TalkJSError: talkjs_exception_handler})
app.include_router(bot)


async def main() -> None:
    emulator = Emulator(clock=RealClock())
    with emulator.serve() as served, socket.create_server(("127.0.0.1", 0)) as listener:
        os.environ["TALKJS_BASE_URL"] = served.base_url
        os.environ["TALKJS_APP_ID"] = emulator.app_id
        os.environ["TALKJS_SECRET_KEY"] = emulator.secret_key
        emulator.webhooks.to(f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks/talkjs")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        async with AsyncTalkJS() as talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            await talkjs.users.upsert("bot", name="Bot")
            await talkjs.conversations.upsert("c1", participants=["alice", "bot"])
            emulator.simulate_user("alice").say("c1", "Hello, bot")
            while len(emulator.commits.of("message.sent")) < 2:  # noqa: ASYNC110 - of a thread
                await asyncio.sleep(0.01)
            for message in reversed(await talkjs.messages.list("c1").collect()):
                print(f"{message.sender_id}: {message.plain_text()}")
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), timeout=20))
