"""
Importing old messages.

Source: TalkJS's own program that copies an app (2026) for the current rules, the page "Importing
Messages" of its documentation for the older ones.
"""

from collections.abc import Mapping
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
from talkjs_async.emulator._content import Content, WrongContent, read_content
from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._posting import add_message

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_MESSAGES = 100
_MAX_MESSAGES_OLDER = 10


def _anything(_: object) -> None:
    """Accept anything: the content is checked as a whole."""


_FIELDS: dict[str, Check] = {
    "type": one_of("UserMessage", "SystemMessage"),
    "sender": text,
    "text": text,
    "content": _anything,
    "createdAt": moment,
    "readBy": list_of(text),
    "attachmentToken": text,
    "custom": custom_data,
}
_REQUIRED = ("type", "createdAt")
_OLDER_FIELDS: dict[str, Check] = {
    "type": one_of("UserMessage"),
    "sender": text,
    "text": text,
    "timestamp": moment,
    "readBy": list_of(text),
    "attachmentToken": text,
    "custom": custom_data,
}
_OLDER_REQUIRED = ("type", "sender", "text", "timestamp", "readBy")


@routes.add(
    "messages.import_many",
    "POST",
    "/import/conversations/{conversation}/messages",
    mark="code",
    source="TalkJS's transfer program, 2026; Importing Messages",
)
def messages(context: RouteContext, conversation_id: str) -> Any:
    """
    Import messages with their original times.

    Duplicates are kept, no user is notified, and no webhook is sent (inferred).
    """
    items = context.json()
    older = context.switches.import_rules == "older"
    maximum = _MAX_MESSAGES_OLDER if older else _MAX_MESSAGES
    if not isinstance(items, list) or not 1 <= len(items) <= maximum:
        raise bad_request([f"The body must be a list of 1 to {maximum} messages."])
    conversation = context.conversation(conversation_id)
    contents = [
        _check(context, conversation, position, item) for position, item in enumerate(items)
    ]
    ids = [
        _import(context, conversation, item, content)
        for item, content in zip(items, contents, strict=True)
    ]
    return {} if older or context.switches.import_answer == "empty" else ids


def _check(
    context: RouteContext, conversation: StoredConversation, position: int, item: Any
) -> Content:
    """Check one message; return what is in it."""
    older = context.switches.import_rules == "older"
    fields, required = (_OLDER_FIELDS, _OLDER_REQUIRED) if older else (_FIELDS, _REQUIRED)
    problems = wrong_fields(item, fields, context.switches, required=required)
    content = Content()
    if not problems:
        problems = _wrong_sender(conversation, item)
        # A file comes with the text that stood for it (documented for the older rules).
        body = {name: item[name] for name in ("text", "content") if name in item}
        if "attachmentToken" in item:
            body = {"attachmentToken": item["attachmentToken"]}
        try:
            content = read_content(context.app, body)
        except WrongContent as wrong:
            problems.setdefault(wrong.field, wrong.rule)
    if problems:
        named = {f"{position}.{name}": wrong for name, wrong in problems.items()}
        raise wrong_arguments(named, context.switches)
    return content


def _wrong_sender(conversation: StoredConversation, item: Mapping[str, Any]) -> dict[str, str]:
    if item["type"] == "SystemMessage":
        return {"sender": "must not be given for a SystemMessage"} if "sender" in item else {}
    if "sender" not in item:
        return {"sender": "is required for a UserMessage"}
    if item["sender"] not in conversation.participants:
        return {"sender": f"{item['sender']!r} is not a participant"}
    return {}


def _import(
    context: RouteContext, conversation: StoredConversation, item: dict[str, Any], content: Content
) -> dict[str, str]:
    message_id = context.world.ids.make("msg_")
    older = context.switches.import_rules == "older"
    created_at = item["timestamp" if older else "createdAt"]
    sender = item.get("sender")
    message = StoredMessage(
        id=message_id,
        conversation_id=conversation.id,
        type=item["type"],
        sender_id=sender,
        text=content.text,
        nodes=content.nodes,
        file=content.file,
        location=content.location,
        created_at=created_at,
        order=context.order(message_id, created_at),
        origin="import",
        custom=updated_custom(None, item["custom"], context.switches) if "custom" in item else None,
        read_by=tuple(one for one in item.get("readBy", ()) if one != sender),
    )
    add_message(context, conversation, message)
    context.commit(
        "message.imported",
        conversation_id=conversation.id,
        message_id=message_id,
        user_id=sender,
        text=content.text if content.file is None else item.get("text"),
        detail={"createdAt": created_at},
    )
    return {"id": message_id}
