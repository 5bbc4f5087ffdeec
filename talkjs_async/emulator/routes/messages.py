"""Messages. Source: the REST API page "Messages" of TalkJS's documentation."""

from typing import Any

from talkjs_async.emulator._checks import Check, custom_data, read, text, updated_custom
from talkjs_async.emulator._idempotency import keys_of
from talkjs_async.emulator._problems import bad_request, not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator.routes._events import message_data
from talkjs_async.emulator.routes._listing import cursor, page, page_limit
from talkjs_async.emulator.routes._posting import post, read_item, refuse_repeats
from talkjs_async.emulator.routes._rendering import render_message

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_MESSAGES_PER_PAGE = 100
_MAX_MESSAGES_PER_POST = 10

_PATH = "/conversations/{conversation}/messages"

_EDIT_FIELDS: dict[str, Check] = {"text": text, "custom": custom_data}


@routes.add("messages.send", "POST", _PATH, mark="documented", source="Messages, Send a message")
def send(context: RouteContext, conversation_id: str) -> Any:
    """
    Send 1 to 10 messages; the answer is a bare list of their IDs.

    All or nothing (inferred): if one is refused, none is sent.
    """
    items = context.json()
    if not isinstance(items, list) or not 1 <= len(items) <= _MAX_MESSAGES_PER_POST:
        raise bad_request([f"The body must be a list of 1 to {_MAX_MESSAGES_PER_POST} messages."])
    context.world.requests.note_keys(context.exchange, keys_of(items))
    conversation = context.conversation(conversation_id)
    contents = [
        read_item(context, conversation, position, item) for position, item in enumerate(items)
    ]
    if context.switches.idempotent_repeat == "error":
        refuse_repeats(context, conversation, items)
    return [
        {"id": post(context, conversation, item, content)}
        for item, content in zip(items, contents, strict=True)
    ]


@routes.add("messages.list", "GET", _PATH, mark="documented", source="Messages, Listing messages")
def list_(context: RouteContext, conversation_id: str) -> Any:
    """List a conversation's messages, newest first."""
    limit = page_limit(context, _MAX_MESSAGES_PER_PAGE)
    if (
        conversation_id not in context.app.conversations
        and context.switches.messages_of_unknown_conversation == "empty"
    ):
        return {"data": []}
    conversation = context.conversation(conversation_id)
    after, gone = cursor(context, conversation.message_by_id)
    if gone:
        return {"data": []}
    rows = conversation.messages.walk(descending=True, after=after)
    return page(rows, limit, lambda row: render_message(context, conversation, row))


@routes.add("messages.get", "GET", _PATH + "/{message}", mark="code", source="PHP clients")
def get(context: RouteContext, conversation_id: str, message_id: str) -> Any:
    """Return one message, not wrapped in anything."""
    message = context.message(conversation_id, message_id)
    return render_message(context, context.conversation(conversation_id), message)


@routes.add(
    "messages.edit", "PUT", _PATH + "/{message}", mark="code", source="Messages, Edit a message"
)
def edit(context: RouteContext, conversation_id: str, message_id: str) -> Any:
    """Change the text, the custom data, or both."""
    body = read(context.json(), _EDIT_FIELDS, context.switches)
    conversation = context.conversation(conversation_id)
    message = context.message(conversation_id, message_id)
    if "text" in body:
        message.text, message.nodes = body["text"], None
        message.file, message.location = None, None
        message.edited_at = context.now_ms
    if "custom" in body:
        message.custom = updated_custom(message.custom, body["custom"], context.switches)
        if context.switches.custom_edit_sets_edited_at:
            message.edited_at = context.now_ms
    context.commit(
        "message.updated",
        conversation_id=conversation_id,
        message_id=message_id,
        text=message.text,
    )
    context.emit("message.updated", lambda: message_data(context, conversation, message))
    return {}


@routes.add("messages.delete", "DELETE", _PATH + "/{message}", mark="code", source="PHP clients")
def delete(context: RouteContext, conversation_id: str, message_id: str) -> Any:
    """Delete one message."""
    conversation = context.app.conversations.get(conversation_id)
    message = conversation.message_by_id.pop(message_id, None) if conversation else None
    if conversation is None or message is None:
        if context.switches.delete_unknown == "not_found":
            raise not_found("message", message_id)
        return {}
    conversation.messages.remove(message)
    context.commit("message.deleted", conversation_id=conversation_id, message_id=message_id)
    context.emit("message.deleted", lambda: message_data(context, conversation, message))
    return {}
