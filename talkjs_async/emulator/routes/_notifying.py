"""
Who is notified of messages, and what webhooks tell of it.

The data of `notification.triggered` was seen in programs that receive it; that of the other events
is inferred from it.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._events import known_user
from talkjs_async.emulator.routes._rendering import render_conversation, render_message

CHANNELS = ("email", "sms")


def notify(
    context: RouteContext,
    conversation: StoredConversation,
    messages: Sequence[StoredMessage],
    *,
    recipients: Collection[str] | None = None,
    channels: Collection[str] = CHANNELS,
) -> list[str]:
    """
    Notify participants who are not looking; return their IDs.

    TalkJS waits a little until it decides to. The emulator does it at once.

    Args:
        context: The request that caused it.
        conversation: Where.
        messages: What they have missed.
        recipients: Exactly these. None: all who are not looking and want to be notified.
        channels: Where to send it, as far as a recipient has an address there.
    """
    if recipients is None:
        recipients = [
            user_id
            for user_id in conversation.participants
            if _wants_to_know(context, conversation, user_id, messages)
        ]
    for user_id in recipients:
        _notify_one(context, conversation, messages, user_id, channels)
    return list(recipients)


def _wants_to_know(
    context: RouteContext,
    conversation: StoredConversation,
    user_id: str,
    messages: Sequence[StoredMessage],
) -> bool:
    participant = conversation.participants[user_id]
    if participant.access == "None" or all(one.sender_id == user_id for one in messages):
        return False
    if participant.notify == "MentionsOnly":
        return any(_mentions(message.nodes or [], user_id) for message in messages)
    looking = any(
        session.visible and session.selected_conversation_id == conversation.id
        for session in context.app.sessions.get(user_id, ())
    )
    return participant.notify is True and not looking


def _mentions(nodes: Sequence[Any], user_id: str) -> bool:
    return any(
        node.get("id") == user_id or _mentions(node.get("children", ()), user_id)
        for node in nodes
        if isinstance(node, dict)
    )


def _notify_one(
    context: RouteContext,
    conversation: StoredConversation,
    messages: Sequence[StoredMessage],
    user_id: str,
    channels: Collection[str],
) -> None:
    notification_id = context.world.ids.make("ntf_")
    user = context.app.users.get(user_id)

    def data(**more: Any) -> dict[str, Any]:
        return {
            **more,
            "notificationId": notification_id,
            "recipient": known_user(context, user_id),
            "sender": known_user(context, messages[-1].sender_id if messages else None),
            "conversation": render_conversation(context, conversation),
            "messages": [render_message(context, conversation, one) for one in messages],
        }

    # Documented: also when the recipient has no address at all.
    context.emit("notification.triggered", data)
    addresses = {"email": user.email, "sms": user.phone} if user else {}
    for channel in channels:
        if addresses.get(channel):
            # Documented: once per channel. That the data names the channel is inferred.
            context.emit("notification.sent", partial(data, channel=channel))
