"""
How a message comes into being: the rules for what may be sent, idempotency, and who is told.

Used by the REST API's own sending and by simulated users.
"""

import sys
from collections.abc import Mapping
from typing import Any

from talkjs_async.emulator._checks import (
    Check,
    custom_data,
    one_of,
    text,
    updated_custom,
    wrong_arguments,
    wrong_fields,
)
from talkjs_async.emulator._content import Content, WrongContent, read_content
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._events import message_data
from talkjs_async.emulator.routes._notifying import notify

# Claimed by a third party.
IDEMPOTENCY_WINDOW = 24 * 60 * 60.0


def _anything(_: object) -> None:
    """Accept anything: the content is checked as a whole."""


_FIELDS: dict[str, Check] = {
    "type": one_of("UserMessage", "SystemMessage"),
    "sender": text,
    "text": text,
    "attachmentToken": text,
    "location": _anything,
    "content": _anything,
    "referencedMessageId": text,
    "custom": custom_data,
    "idempotencyKey": text,
}


def read_item(
    context: RouteContext, conversation: StoredConversation, position: int, item: Any
) -> Content:
    """Check one message that is to be sent; return what is in it."""
    problems = wrong_fields(item, _FIELDS, context.switches, required=("type",))
    content = Content()
    if not problems:
        problems = _wrong_combination(conversation, item)
        try:
            content = read_content(context.app, item)
        except WrongContent as wrong:
            problems.setdefault(wrong.field, wrong.rule)
    if problems:
        named = {f"{position}.{name}": wrong for name, wrong in problems.items()}
        raise wrong_arguments(named, context.switches)
    sender = item.get("sender")
    participant = conversation.participants.get(sender) if sender is not None else None
    if sender is not None and (participant is None or participant.access == "None"):
        reason = f"{position}.sender: {sender!r} is not a participant of this conversation."
        raise Problem(context.switches.not_a_participant, "NOT_A_PARTICIPANT", [reason])
    return content


def refuse_repeats(
    context: RouteContext, conversation: StoredConversation, items: list[Mapping[str, Any]]
) -> None:
    """Raise the 409 of a server that calls a repeated idempotency key an error."""
    for item in items:
        key = item.get("idempotencyKey")
        if key is not None and _sent_before(context, conversation, key) is not None:
            reason = f"The idempotencyKey {key!r} was used before."
            raise Problem(409, "IDEMPOTENCY_KEY_ALREADY_USED", [reason])


def post(
    context: RouteContext,
    conversation: StoredConversation,
    item: Mapping[str, Any],
    content: Content,
    *,
    origin: str = "rest",
) -> str:
    """Send one message that was checked; return its ID."""
    key = item.get("idempotencyKey")
    if key is not None and (repeated := _sent_before(context, conversation, key)) is not None:
        return repeated
    message_id = context.world.ids.make("msg_")
    message = StoredMessage(
        id=message_id,
        conversation_id=conversation.id,
        # The same few texts in every message: kept once.
        type=sys.intern(item["type"]),
        sender_id=None if item.get("sender") is None else sys.intern(item["sender"]),
        text=content.text,
        nodes=content.nodes,
        file=content.file,
        location=content.location,
        created_at=context.now_ms,
        order=context.order(message_id),
        origin=origin,
        referenced_message_id=item.get("referencedMessageId"),
        custom=updated_custom(None, item["custom"], context.switches) if "custom" in item else None,
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
    context.emit("message.sent", lambda: message_data(context, conversation, message))
    # Documented: system messages trigger no notifications.
    if message.sender_id is not None:
        notify(context, conversation, [message])
    return message_id


def add_message(
    context: RouteContext, conversation: StoredConversation, message: StoredMessage
) -> None:
    """Put a message into its conversation, which moves up in the order of last activity."""
    conversation.add(message)
    by_activity = context.app.conversations_by_activity
    by_activity.remove(conversation)
    conversation.activity = max(conversation.activity, message.order)
    by_activity.add(conversation)


def _wrong_combination(conversation: StoredConversation, item: Mapping[str, Any]) -> dict[str, str]:
    problems: dict[str, str] = {}
    if item["type"] == "UserMessage":
        if "sender" not in item:
            problems["sender"] = "is required for a UserMessage"
    else:
        if "sender" in item:
            problems["sender"] = "must not be given for a SystemMessage"
        if "location" in item or _is_location_block(item.get("content")):
            problems["location"] = "is not allowed in a SystemMessage"
    reference = item.get("referencedMessageId")
    if reference is not None and reference not in conversation.message_by_id:
        problems["referencedMessageId"] = f"there is no message {reference!r} here"
    return problems


def _is_location_block(content: Any) -> bool:
    match content:
        case [{"type": "location"}]:
            return True
    return False


def _sent_before(context: RouteContext, conversation: StoredConversation, key: str) -> str | None:
    sent = context.app.idempotency
    # Oldest first: forget the keys whose time is over.
    while sent and context.now - next(iter(sent.values()))[1] > IDEMPOTENCY_WINDOW:
        del sent[next(iter(sent))]
    repeated = sent.get((_scope(context, conversation), key))
    return None if repeated is None else repeated[0]


def _scope(context: RouteContext, conversation: StoredConversation) -> str:
    return "" if context.switches.idempotency_scope == "app" else conversation.id
