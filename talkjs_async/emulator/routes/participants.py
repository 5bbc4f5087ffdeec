"""
Participants. Source: the REST API page "Participation" of TalkJS's documentation.

That a participant takes `readUntil` is known from TalkJS's own program that copies an app.
"""

from hashlib import sha256
from typing import Any

from talkjs_async.emulator._checks import Check, moment, one_of, read
from talkjs_async.emulator._problems import not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator.routes._joining import join
from talkjs_async.emulator.routes._marking import mark_read

__all__ = ["routes"]

routes: Routes = Routes()

_PATH = "/conversations/{conversation}/participants/{user}"

# Source: the documentation's "API changelog".
_LEAVING_REMOVES_SINCE = "2021-07-30"

_NOTIFY = one_of(True, False, "MentionsOnly")
_JOIN_FIELDS: dict[str, Check] = {"access": one_of("ReadWrite", "Read"), "notify": _NOTIFY}
_CHANGE_FIELDS: dict[str, Check] = {
    "access": one_of("ReadWrite", "Read", "None"),
    "notify": _NOTIFY,
}
_MARKING_FIELDS: dict[str, Check] = {**_CHANGE_FIELDS, "readUntil": moment}


@routes.add("participants.add", "PUT", _PATH, mark="documented", source="Participation")
def put(context: RouteContext, conversation_id: str, user_id: str) -> Any:
    """Join. Always overwrites: what is left out falls back to ReadWrite and true."""
    body = read(context.json(), _JOIN_FIELDS, context.switches)
    conversation = context.conversation(conversation_id)
    context.user(user_id)
    participant = conversation.participants.get(user_id)
    if participant is None:
        participant = join(context, conversation, user_id)
    else:
        context.commit("participant.updated", conversation_id=conversation_id, user_id=user_id)
    participant.access = body.get("access", "ReadWrite")
    participant.notify = body.get("notify", True)
    return {}


@routes.add("participants.update", "PATCH", _PATH, mark="documented", source="Participation")
def patch(context: RouteContext, conversation_id: str, user_id: str) -> Any:
    """Change what is given. That it fails for a user who is not a participant is inferred."""
    marks = context.switches.mark_as_read in ("participant", "all")
    body = read(context.json(), _MARKING_FIELDS if marks else _CHANGE_FIELDS, context.switches)
    conversation = context.conversation(conversation_id)
    participant = conversation.participants.get(user_id)
    if participant is None:
        raise not_found("participant", user_id)
    participant.access = body.get("access", participant.access)
    participant.notify = body.get("notify", participant.notify)
    context.commit("participant.updated", conversation_id=conversation_id, user_id=user_id)
    if marks and "readUntil" in body:
        mark_read(context, conversation, user_id, until=body["readUntil"])
    return {}


@routes.add("participants.remove", "DELETE", _PATH, mark="documented", source="Participation")
def remove(context: RouteContext, conversation_id: str, user_id: str) -> Any:
    """Leave the conversation. Old API versions keep it in the user's list."""
    conversation = context.app.conversations.get(conversation_id)
    if conversation is None or user_id not in conversation.participants:
        if context.switches.delete_unknown == "not_found":
            raise not_found("participant", user_id)
        return {}
    participant = conversation.participants.pop(user_id)
    user = context.app.users.get(user_id)
    if context.version < _LEAVING_REMOVES_SINCE:
        conversation.left[user_id] = participant
    elif user is not None:
        user.conversation_ids.discard(conversation_id)
    context.commit("participant.left", conversation_id=conversation_id, user_id=user_id)
    return {}


@routes.add(
    "participants.get_email", "GET", _PATH + "/email", mark="documented", source="Participation"
)
def get_email(context: RouteContext, conversation_id: str, user_id: str) -> Any:
    """Return the address whose mail is posted here in this user's name."""
    if user_id not in context.conversation(conversation_id).participants:
        raise not_found("participant", user_id)
    digest = sha256(f"{context.app.id}/{conversation_id}/{user_id}".encode(errors="replace"))
    return {"emailAddress": f"{digest.hexdigest()[:24]}@reply.emulator.invalid"}
