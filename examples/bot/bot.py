"""A bot in a FastAPI app: it answers each message once, whatever happens on the way."""

from fastapi import FastAPI

from talkjs_async import AsyncTalkJS, TalkJSError, escape_markup
from talkjs_async.fastapi import TalkJSDep, lifespan, talkjs_exception_handler, webhook_router
from talkjs_async.models.events import MessageSent

webhooks = webhook_router("/webhooks/talkjs")


@webhooks.on(MessageSent)
async def answer(event: MessageSent, talkjs: AsyncTalkJS) -> None:
    heard = event.message
    if heard.sender_id in {None, "bot"}:
        return
    text = f"You said: {escape_markup(heard.plain_text())}"
    await talkjs.messages.send(
        heard.conversation_id, sender="bot", text=text, idempotency_key=event.id
    )


app = FastAPI(lifespan=lifespan, exception_handlers={TalkJSError: talkjs_exception_handler})
app.include_router(webhooks)


@app.post("/reminders/{conversation_id}")
async def remind(conversation_id: str, talkjs: TalkJSDep) -> dict[str, str]:
    """Remind once a day at most: TalkJS knows a key for 24 hours."""
    sent = await talkjs.messages.send(
        conversation_id,
        sender="bot",
        text="Anything else?",
        idempotency_key=f"reminder-{conversation_id}",
    )
    return {"id": sent.id}
