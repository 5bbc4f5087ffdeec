"""
Marking conversations as read and unread.

Two forms are claimed by third parties, and neither is in the documentation that we could read: a
PHP library posts to `readBy`, a description of the API of 2026 sends `readUntil` by PATCH. The
switch `mark_as_read` says which of them the server has; only the second can mark as unread.
"""

from functools import partial
from typing import Any

from talkjs_async.emulator._checks import read
from talkjs_async.emulator._index import Order
from talkjs_async.emulator._problems import Problem, not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredConversation
from talkjs_async.emulator.routes._events import message_read_data

__all__ = ["MAX_TRACKED_PARTICIPANTS", "mark_read", "routes"]

routes: Routes = Routes()

# Documented: no read tracking beyond.
MAX_TRACKED_PARTICIPANTS = 300


@routes.add(
    "conversations.mark_as_read",
    "POST",
    "/conversations/{conversation}/readBy/{user}",
    mark="third party",
    source="A PHP library",
)
def read_by(context: RouteContext, conversation_id: str, user_id: str) -> Any:
    """Mark everything in a conversation as read by a user."""
    _has_form(context, "read_by")
    mark_read(context, context.conversation(conversation_id), user_id)
    return {}


@routes.add(
    "conversations.read_until",
    "PATCH",
    "/users/{user}/conversations/{conversation}",
    mark="third party",
    source="A description of the API of 2026",
)
def read_until(context: RouteContext, user_id: str, conversation_id: str) -> Any:
    """Say until when a user has read a conversation: Unix milliseconds, or `"sent"` for all."""
    _has_form(context, "read_until")
    body = read(
        context.json(), {"readUntil": _read_until}, context.switches, required=("readUntil",)
    )
    context.user(user_id)
    moment = body["readUntil"]
    mark_read(
        context,
        context.conversation(conversation_id),
        user_id,
        until=None if moment == "sent" else moment,
    )
    return {}


def mark_read(
    context: RouteContext,
    conversation: StoredConversation,
    user_id: str,
    *,
    until: int | None = None,
) -> None:
    """
    Move the place up to which a participant has read, forward or back.

    Args:
        context: The request.
        conversation: Where.
        user_id: Who.
        until: Unix milliseconds. None: everything there is.
    """
    participant = conversation.participants.get(user_id)
    if participant is None:
        raise not_found("participant", user_id)
    before = participant.read_until
    last = conversation.messages.last()
    if until is not None:
        participant.read_until = _end_of(until)
    elif last is not None:
        participant.read_until = last.order
    context.commit("conversation.read", conversation_id=conversation.id, user_id=user_id)
    if len(conversation.participants) <= MAX_TRACKED_PARTICIPANTS:
        _tell(context, conversation, user_id, before, participant.read_until)


def _tell(
    context: RouteContext,
    conversation: StoredConversation,
    user_id: str,
    before: Order | None,
    until: Order | None,
) -> None:
    """Tell of the messages that this user has read just now, the oldest first."""
    if until is None:
        return
    now_read = [
        message for message in conversation.messages.newer_than(before) if message.order <= until
    ]
    for message in reversed(now_read):
        if message.sender_id != user_id:
            data = partial(message_read_data, context, conversation, message, user_id)
            context.emit("message.read", data)


def _read_until(value: object) -> str | None:
    if value == "sent" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return None
    return 'must be a time in whole milliseconds since 1970, or "sent"'


def _end_of(moment: int) -> Order:
    """Return a place behind every record of that millisecond."""
    return (moment, "\U0010ffff", 2**63)


def _has_form(context: RouteContext, form: str) -> None:
    if context.switches.mark_as_read not in (form, "both"):
        reason = f"This server does not mark conversations as read by {form}."
        raise Problem(404, "NOT_FOUND", [reason])
