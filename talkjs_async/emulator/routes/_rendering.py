"""
How records look on the wire.

Source: the REST API pages "Users", "Conversations" and "Messages" of TalkJS's documentation, where
the objects are documented; what is not is said at the spot.
"""

from typing import Any

from talkjs_async.emulator._content import render_blocks
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import (
    StoredConversation,
    StoredMessage,
    StoredParticipant,
    StoredUser,
)

MAX_READ_BY = 300


def render_user(context: RouteContext, user: StoredUser) -> dict[str, Any]:
    """Return a user as the API shows it."""
    empty_phone: list[str] | None = [] if context.switches.empty_phone == "list" else None
    unset_role = "default" if context.switches.unset_role == "default" else None
    return {
        "id": user.id,
        "name": user.name,
        "welcomeMessage": user.welcome_message,
        "photoUrl": user.photo_url,
        "role": unset_role if user.role is None else user.role,
        "email": user.email,
        "phone": empty_phone if user.phone is None else user.phone,
        "custom": user.custom,
        "availabilityText": user.availability_text,
        "locale": user.locale,
        "createdAt": user.created_at,
        "pushTokens": user.push_tokens,
    }


def render_conversation(context: RouteContext, conversation: StoredConversation) -> dict[str, Any]:
    """Return a conversation as the API shows it."""
    last_message = conversation.messages.last()
    participants: object = {
        user_id: _participant(context, conversation, user_id, participant)
        for user_id, participant in conversation.participants.items()
        if participant.access != "None" or context.switches.none_participants == "listed"
    }
    if not participants and context.switches.empty_participants == "list":
        participants = []
    body = {
        "id": conversation.id,
        "subject": conversation.subject,
        "topicId": None,
        "photoUrl": conversation.photo_url,
        "welcomeMessages": conversation.welcome_messages,
        "custom": conversation.custom,
        "lastMessage": (
            None if last_message is None else render_message(context, conversation, last_message)
        ),
        "participants": participants,
        "createdAt": conversation.created_at,
    }
    if context.switches.read_marks == "present":
        marks = [_milliseconds(one) or 0 for one in conversation.participants.values()]
        body["everyoneReadUntil"] = min(marks, default=0)
    return body


def _participant(
    context: RouteContext,
    conversation: StoredConversation,
    user_id: str,
    participant: StoredParticipant,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access": participant.access,
        "notify": participant.notify,
        "isUnread": conversation.is_unread_by(user_id, participant),
    }
    if context.switches.read_marks == "present":
        body.update(joinedAt=participant.joined_at, readUntil=_milliseconds(participant))
    return body


def _milliseconds(participant: StoredParticipant) -> int | None:
    """Return the moment up to which a participant has read; None: nothing was read."""
    return None if participant.read_until is None else participant.read_until[0]


def render_conversation_for(
    context: RouteContext, conversation: StoredConversation, user_id: str
) -> dict[str, Any]:
    """
    Return a conversation with what it looks like to one user.

    That there are such fields is documented; their names are those of the JavaScript SDK's view
    of a conversation (inferred).
    """
    body = render_conversation(context, conversation)
    if context.switches.user_conversation_fields == "absent":
        return body
    participant = conversation.place_of(user_id)
    last = conversation.messages.last()
    unread = sum(
        message.sender_id != user_id
        for message in conversation.messages.newer_than(participant.read_until)
    )
    body.update(
        unreadMessageCount=unread,
        isUnread=unread > 0,
        readUntil=_milliseconds(participant) or 0,
        joinedAt=participant.joined_at,
        access=participant.access,
        notify=participant.notify,
        lastMessageAt=None if last is None else last.created_at,
    )
    return body


def render_message(
    context: RouteContext, conversation: StoredConversation, message: StoredMessage
) -> dict[str, Any]:
    """Return a message as the API shows it."""
    origin = context.request.origin
    file = message.file
    body: dict[str, Any] = {
        "id": message.id,
        "conversationId": message.conversation_id,
        "type": message.type,
        "senderId": message.sender_id,
        "text": message.text,
        "attachment": None if file is None else {"url": file.url(origin), "size": file.size},
        "location": message.location,
        "readBy": _read_by(conversation, message),
        "origin": message.origin,
        "referencedMessageId": message.referenced_message_id,
        "custom": message.custom or {},
        "createdAt": message.created_at,
        "editedAt": message.edited_at,
    }
    if context.switches.message_content == "present":
        body["content"] = render_blocks(message, origin)
    if context.switches.reactions_shape != "absent":
        body["reactions"] = _reactions(context, message)
    return body


def _read_by(conversation: StoredConversation, message: StoredMessage) -> list[str]:
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


def _reactions(context: RouteContext, message: StoredMessage) -> dict[str, Any]:
    # In the order of first use, as in the JavaScript SDK. The REST API's shape is not known.
    reactions = message.reactions or {}
    if context.switches.reactions_shape == "users":
        return {emoji: list(users) for emoji, users in reactions.items()}
    return {
        emoji: {"count": len(users), "createdAt": min(users.values())}
        for emoji, users in reactions.items()
    }
