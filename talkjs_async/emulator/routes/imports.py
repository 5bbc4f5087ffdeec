"""Importing old messages. Source: the page "Importing Messages" of TalkJS's documentation."""

from typing import Any

from talkjs_async.emulator._checks import (
    Check,
    custom_data,
    list_of,
    moment,
    one_of,
    text,
    updated_custom,
    wrong_arguments,
    wrong_fields,
)
from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._posting import add_message

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_MESSAGES = 10
# As one public program sends.
_MAX_MESSAGES_LENIENT = 1_000

_FIELDS: dict[str, Check] = {
    "type": one_of("UserMessage"),
    "sender": text,
    "text": text,
    "timestamp": moment,
    "readBy": list_of(text),
    "attachmentToken": text,
    "custom": custom_data,
}
_LENIENT_FIELDS = {**_FIELDS, "createdAt": moment}
_REQUIRED = ("type", "sender", "text", "timestamp", "readBy")
_LENIENT_REQUIRED = ("sender", "text")


@routes.add(
    "imports.messages",
    "POST",
    "/import/conversations/{conversation}/messages",
    mark="documented",
    source="Importing Messages",
)
def messages(context: RouteContext, conversation_id: str) -> Any:
    """
    Import up to 10 messages with their original times.

    Duplicates are kept, no user is notified, and no webhook tells of it (inferred).
    """
    items = context.json()
    lenient = context.switches.import_rules == "lenient"
    maximum = _MAX_MESSAGES_LENIENT if lenient else _MAX_MESSAGES
    if not isinstance(items, list) or not 1 <= len(items) <= maximum:
        raise bad_request([f"The body must be a list of 1 to {maximum} messages."])
    conversation = context.conversation(conversation_id)
    for position, item in enumerate(items):
        _check(context, conversation, position, item)
    ids = [_import(context, conversation, item) for item in items]
    return ids if context.switches.import_answer == "ids" else {}


def _check(
    context: RouteContext, conversation: StoredConversation, position: int, item: Any
) -> None:
    lenient = context.switches.import_rules == "lenient"
    fields = _LENIENT_FIELDS if lenient else _FIELDS
    required = _LENIENT_REQUIRED if lenient else _REQUIRED
    problems = wrong_fields(item, fields, context.switches, required=required)
    if not problems:
        if item["sender"] not in conversation.participants:
            problems["sender"] = f"{item['sender']!r} is not a participant"
        if "timestamp" not in item and "createdAt" not in item:
            problems["timestamp"] = "is required"
        if "attachmentToken" in item and item["attachmentToken"] not in context.app.files:
            problems["attachmentToken"] = "is not the token of an uploaded file"
    if problems:
        named = {f"{position}.{name}": wrong for name, wrong in problems.items()}
        raise wrong_arguments(named, context.switches)


def _import(
    context: RouteContext, conversation: StoredConversation, item: dict[str, Any]
) -> dict[str, str]:
    message_id = context.world.ids.make("msg_")
    created_at = item["timestamp"] if "timestamp" in item else item["createdAt"]
    token = item.get("attachmentToken")
    message = StoredMessage(
        id=message_id,
        conversation_id=conversation.id,
        type="UserMessage",
        sender_id=item["sender"],
        text=item["text"] if token is None else None,
        file=context.app.files[token] if token is not None else None,
        created_at=created_at,
        order=context.order(message_id, created_at),
        origin="import",
        custom=updated_custom(None, item["custom"], context.switches) if "custom" in item else None,
        read_by=tuple(one for one in item.get("readBy", ()) if one != item["sender"]),
    )
    add_message(context, conversation, message)
    context.commit(
        "message.imported",
        conversation_id=conversation.id,
        message_id=message_id,
        user_id=message.sender_id,
        text=item["text"],
        detail={"createdAt": created_at},
    )
    return {"id": message_id}
