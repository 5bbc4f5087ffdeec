"""Messages. Source: the REST API page "Messages" of TalkJS's documentation."""

from collections.abc import Mapping
from typing import Any

from talkjs_async.emulator.checks import (
    Check,
    custom_data,
    list_of,
    number,
    one_of,
    read,
    text,
    updated_custom,
    wrong_arguments,
    wrong_fields,
)
from talkjs_async.emulator.context import Context
from talkjs_async.emulator.routes.listing import cursor, page, page_limit
from talkjs_async.emulator.routing import Routes
from talkjs_async.emulator.state import Conversation, Message
from talkjs_async.emulator.wire import Problem, bad_request, decode, not_found

routes = Routes()

MAX_MESSAGES_PER_PAGE = 100
MAX_MESSAGES_PER_POST = 10
MAX_READ_BY = 300

# Claimed by a third party.
IDEMPOTENCY_WINDOW = 24 * 60 * 60.0

PATH = "/conversations/{conversation}/messages"

_ITEM_FIELDS: dict[str, Check] = {
    "type": one_of("UserMessage", "SystemMessage"),
    "sender": text,
    "text": text,
    "location": list_of(number),
    "referencedMessageId": text,
    "custom": custom_data,
    "idempotencyKey": text,
}
_EDIT_FIELDS: dict[str, Check] = {"text": text, "custom": custom_data}
_CONTENTS = ("text", "location")


@routes.add("messages.send", "POST", PATH, mark="documented", source="Messages, Send a message")
def send(context: Context, conversation_id: str) -> Any:
    """
    Send 1 to 10 messages; the answer is a bare list of their IDs.

    All or nothing (inferred): if one is refused, none is sent.
    """
    items = context.json()
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_MESSAGES_PER_POST:
        raise bad_request([f"The body must be a list of 1 to {MAX_MESSAGES_PER_POST} messages."])
    context.emulator.requests.note_keys(context.exchange, _keys(items))
    conversation = context.conversation(conversation_id)
    for position, item in enumerate(items):
        _check_item(context, conversation, position, item)
    if context.quirks.idempotent_repeat == "error":
        _refuse_repeats(context, conversation, items)
    return [{"id": _send_one(context, conversation, item)} for item in items]


@routes.add("messages.list", "GET", PATH, mark="documented", source="Messages, Listing messages")
def list_(context: Context, conversation_id: str) -> Any:
    """List a conversation's messages, newest first."""
    limit = page_limit(context, MAX_MESSAGES_PER_PAGE)
    if (
        conversation_id not in context.app.conversations
        and context.quirks.messages_of_unknown_conversation == "empty"
    ):
        return {"data": []}
    conversation = context.conversation(conversation_id)
    after, gone = cursor(context, conversation.message_by_id)
    if gone:
        return {"data": []}
    rows = conversation.messages.walk(descending=True, after=after)
    return page(rows, limit, lambda row: render_message(context, conversation, row))


@routes.add("messages.get", "GET", PATH + "/{message}", mark="code", source="PHP clients")
def get(context: Context, conversation_id: str, message_id: str) -> Any:
    """Return one message, not wrapped in anything."""
    message = context.message(conversation_id, message_id)
    return render_message(context, context.conversation(conversation_id), message)


@routes.add(
    "messages.edit", "PUT", PATH + "/{message}", mark="code", source="Messages, Edit a message"
)
def edit(context: Context, conversation_id: str, message_id: str) -> Any:
    """Change the text, the custom data, or both."""
    body = read(context.json(), _EDIT_FIELDS, context.quirks)
    message = context.message(conversation_id, message_id)
    if "text" in body:
        message.text = body["text"]
        message.edited_at = context.now_ms
    if "custom" in body:
        message.custom = updated_custom(message.custom, body["custom"], context.quirks)
        if context.quirks.custom_edit_sets_edited_at:
            message.edited_at = context.now_ms
    context.commit(
        "message.updated",
        conversation_id=conversation_id,
        message_id=message_id,
        text=message.text,
    )
    return {}


@routes.add("messages.delete", "DELETE", PATH + "/{message}", mark="code", source="PHP clients")
def delete(context: Context, conversation_id: str, message_id: str) -> Any:
    """Delete one message."""
    conversation = context.app.conversations.get(conversation_id)
    message = conversation.message_by_id.pop(message_id, None) if conversation else None
    if conversation is None or message is None:
        if context.quirks.delete_unknown == "not_found":
            raise not_found("message", message_id)
        return {}
    conversation.messages.remove(message)
    context.commit("message.deleted", conversation_id=conversation_id, message_id=message_id)
    return {}


def render_message(
    context: Context, conversation: Conversation, message: Message
) -> dict[str, Any]:
    """Return a message as the API shows it."""
    body: dict[str, Any] = {
        "id": message.id,
        "conversationId": message.conversation_id,
        "type": message.type,
        "senderId": message.sender_id,
        "text": message.text,
        "attachment": None,
        "location": message.location,
        "readBy": _read_by(conversation, message),
        "origin": message.origin,
        "referencedMessageId": message.referenced_message_id,
        "custom": message.custom or {},
        "createdAt": message.created_at,
        "editedAt": message.edited_at,
    }
    if context.quirks.message_content == "present":
        body["content"] = [{"type": "text", "children": [message.text]}]
    return body


def idempotency_keys(body: bytes) -> tuple[str, ...]:
    """Return the keys in the body of a request that is not going to be handled."""
    try:
        items = decode(body)
    except Problem:
        return ()
    return _keys(items) if isinstance(items, list) else ()


def _keys(items: list[Any]) -> tuple[str, ...]:
    keys = (item.get("idempotencyKey") for item in items if isinstance(item, dict))
    return tuple(key for key in keys if isinstance(key, str))


def _read_by(conversation: Conversation, message: Message) -> list[str]:
    # Documented: never the sender, up to 300 entries.
    readers = [
        user_id
        for user_id, participant in conversation.participants.items()
        if participant.read_until is not None
        and participant.read_until >= message.order
        and user_id != message.sender_id
    ]
    readers.extend(user_id for user_id in message.read_by if user_id not in readers)
    return readers[:MAX_READ_BY]


def _check_item(context: Context, conversation: Conversation, position: int, item: Any) -> None:
    problems = wrong_fields(item, _ITEM_FIELDS, context.quirks, required=("type",))
    problems = problems or _wrong_combination(conversation, item)
    if problems:
        named = {f"{position}.{name}": wrong for name, wrong in problems.items()}
        raise wrong_arguments(named, context.quirks)
    sender = item.get("sender")
    participant = conversation.participants.get(sender) if sender is not None else None
    if sender is not None and (participant is None or participant.access == "None"):
        reason = f"{position}.sender: {sender!r} is not a participant of this conversation."
        raise Problem(context.quirks.not_a_participant, "NOT_A_PARTICIPANT", [reason])


def _wrong_combination(conversation: Conversation, item: Mapping[str, Any]) -> dict[str, str]:
    problems: dict[str, str] = {}
    if item["type"] == "UserMessage":
        if "sender" not in item:
            problems["sender"] = "is required for a UserMessage"
    else:
        if "sender" in item:
            problems["sender"] = "must not be given for a SystemMessage"
        if "location" in item:
            problems["location"] = "is not allowed in a SystemMessage"
    contents = [name for name in _CONTENTS if name in item]
    if len(contents) != 1:
        problems["text"] = "exactly one of " + ", ".join(_CONTENTS) + " is required"
    if "location" in item and not _is_location(item["location"]):
        problems["location"] = "must be [latitude, longitude]"
    reference = item.get("referencedMessageId")
    if reference is not None and reference not in conversation.message_by_id:
        problems["referencedMessageId"] = f"there is no message {reference!r} here"
    return problems


def _is_location(value: list[float]) -> bool:
    return len(value) == 2 and -90 <= value[0] <= 90 and -180 <= value[1] <= 180


def _send_one(context: Context, conversation: Conversation, item: Mapping[str, Any]) -> str:
    key = item.get("idempotencyKey")
    if key is not None and (repeated := _sent_before(context, conversation, key)) is not None:
        return repeated
    location = item.get("location")
    message_id = context.emulator.ids.make("msg_")
    message = Message(
        id=message_id,
        conversation_id=conversation.id,
        type=item["type"],
        sender_id=item.get("sender"),
        text=item.get("text"),
        created_at=context.now_ms,
        order=context.order(message_id),
        location=(location[0], location[1]) if location else None,
        referenced_message_id=item.get("referencedMessageId"),
        custom=updated_custom(None, item["custom"], context.quirks) if "custom" in item else None,
    )
    add_message(context, conversation, message)
    if key is not None:
        scope = _scope(context, conversation)
        context.app.idempotency[scope, key] = (message_id, context.now)
    context.commit(
        "message.sent",
        conversation_id=conversation.id,
        message_id=message_id,
        user_id=message.sender_id,
        text=message.text,
        idempotency_key=key,
    )
    return message_id


def add_message(context: Context, conversation: Conversation, message: Message) -> None:
    """Put a message into its conversation, which moves up in the order of last activity."""
    conversation.message_by_id[message.id] = message
    conversation.messages.add(message)
    by_activity = context.app.conversations_by_activity
    by_activity.remove(conversation)
    conversation.activity = max(conversation.activity, message.order)
    by_activity.add(conversation)


def _sent_before(context: Context, conversation: Conversation, key: str) -> str | None:
    sent = context.app.idempotency
    # Oldest first: forget the keys whose time is over.
    while sent and context.now - next(iter(sent.values()))[1] > IDEMPOTENCY_WINDOW:
        del sent[next(iter(sent))]
    repeated = sent.get((_scope(context, conversation), key))
    return None if repeated is None else repeated[0]


def _refuse_repeats(
    context: Context, conversation: Conversation, items: list[Mapping[str, Any]]
) -> None:
    for item in items:
        key = item.get("idempotencyKey")
        if key is not None and _sent_before(context, conversation, key) is not None:
            reason = f"The idempotencyKey {key!r} was used before."
            raise Problem(409, "IDEMPOTENCY_KEY_ALREADY_USED", [reason])


def _scope(context: Context, conversation: Conversation) -> str:
    return "" if context.quirks.idempotency_scope == "app" else conversation.id
