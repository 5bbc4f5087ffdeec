"""Moving the place up to which a participant has read, which `message.read` tells of."""

from functools import partial

from talkjs_async.emulator._index import Order
from talkjs_async.emulator._problems import not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredConversation
from talkjs_async.emulator.routes._events import message_read_data

# Documented: no read tracking beyond.
MAX_TRACKED_PARTICIPANTS = 300


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


def _end_of(moment: int) -> Order:
    """Return a place behind every record of that millisecond."""
    return (moment, "\U0010ffff", 2**63)
