"""How a user becomes a participant, with or without a conversation that begins."""

from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._stored_records import StoredConversation, StoredParticipant


def join(
    context: RouteContext, conversation: StoredConversation, user_id: str
) -> StoredParticipant:
    """Make a user a participant. Access `ReadWrite` and notify `true` were seen in tests."""
    participant = StoredParticipant(joined_at=context.now_ms)
    conversation.left.pop(user_id, None)
    conversation.participants[user_id] = participant
    user = context.app.users.get(user_id)
    if user is not None:
        user.conversation_ids.add(conversation.id)
    context.commit("participant.joined", conversation_id=conversation.id, user_id=user_id)
    return participant
