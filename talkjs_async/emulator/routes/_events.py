"""
What webhooks tell.

The data of `message.sent` was seen in programs that receive it; that of the other events is
inferred from it. Source of the events: the documentation's page "Webhooks".
"""

from typing import Any

from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._rendering import render_conversation, render_message, render_user


def user_data(context: RouteContext, user_id: str) -> dict[str, Any]:
    """Return the data of `user.created` and `user.updated`."""
    return {"user": known_user(context, user_id)}


def message_data(
    context: RouteContext, conversation: StoredConversation, message: StoredMessage
) -> dict[str, Any]:
    """Return the data of the message events. The sender of a system message is null."""
    return {
        "sender": known_user(context, message.sender_id),
        "conversation": render_conversation(context, conversation),
        "message": render_message(context, conversation, message),
    }


def message_read_data(
    context: RouteContext,
    conversation: StoredConversation,
    message: StoredMessage,
    recipient_id: str,
) -> dict[str, Any]:
    """Return the data of `message.read`."""
    data = message_data(context, conversation, message)
    return {**data, "recipient": known_user(context, recipient_id)}


def conversation_data(context: RouteContext, conversation: StoredConversation) -> dict[str, Any]:
    """Return the data of `conversation.deleted`."""
    return {"conversation": render_conversation(context, conversation)}


def known_user(context: RouteContext, user_id: str | None) -> dict[str, Any] | None:
    """Return a user as the API shows it, None if there is no such user."""
    user = context.app.users.get(user_id) if user_id is not None else None
    return None if user is None else render_user(context, user)
