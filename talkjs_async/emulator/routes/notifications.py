"""Notifications. Source: the REST API page "Notifications" of TalkJS's documentation."""

from typing import Any

from talkjs_async.emulator._checks import Check, list_of, map_of, one_of, read, text
from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator.routes._notifying import CHANNELS, notify

__all__ = ["routes"]

routes: Routes = Routes()


def _channels(value: object) -> str | None:
    wrong = list_of(one_of(*CHANNELS))(value)
    return "must name at least one channel" if wrong is None and not value else wrong


_FIELDS: dict[str, Check] = {
    "channels": _channels,
    "recipients": list_of(text),
    "smsSettings": map_of(lambda _: None),
    "emailSettings": map_of(lambda _: None),
}


@routes.add(
    "notifications.send",
    "POST",
    "/conversations/{conversation}/notifications",
    mark="documented",
    source="Notifications",
)
def send(context: RouteContext, conversation_id: str) -> Any:
    """
    Notify participants of messages that they have not answered.

    Without *recipients*, all participants with such messages are notified. Not idempotent: each
    call notifies again. That the answer is empty is inferred.
    """
    body = read(context.json(), _FIELDS, context.switches, required=("channels",))
    conversation = context.conversation(conversation_id)
    unanswered = {
        user_id: messages
        for user_id in conversation.participants
        if (messages := _unanswered_by(conversation, user_id))
    }
    recipients = body.get("recipients")
    if recipients is None:
        recipients = list(unanswered)
    outsiders = [one for one in recipients if one not in conversation.participants]
    if outsiders:
        raise bad_request([f"recipients: {outsiders[0]!r} is not a participant."])
    for user_id in recipients:
        messages = unanswered.get(user_id, [])
        channels = body["channels"]
        notify(context, conversation, messages, recipients=[user_id], channels=channels)
        context.commit(
            "notification.triggered",
            conversation_id=conversation_id,
            user_id=user_id,
            detail={"channels": channels},
        )
    return {}


def _unanswered_by(conversation: StoredConversation, user_id: str) -> list[StoredMessage]:
    """Return the messages since this user's own last one, the oldest first."""
    messages: list[StoredMessage] = []
    for message in conversation.messages.walk(descending=True):
        if message.sender_id == user_id:
            break
        if message.sender_id is not None:
            messages.append(message)
    return messages[::-1]
