"""Conversations. Source: the REST API pages "Conversations" and "Users" of the documentation."""

from collections.abc import Iterable, Iterator
from typing import Any

from talkjs_async.emulator._checks import (
    Check,
    custom_data,
    list_of,
    nullable,
    read,
    text,
    updated_custom,
)
from talkjs_async.emulator._filters import conversation_filter
from talkjs_async.emulator._index import Index
from talkjs_async.emulator._problems import not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredConversation
from talkjs_async.emulator.routes._events import conversation_data
from talkjs_async.emulator.routes._joining import join
from talkjs_async.emulator.routes._listing import choice, cursor, flag, moment, page, page_limit
from talkjs_async.emulator.routes._rendering import render_conversation, render_conversation_for

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_CONVERSATIONS_PER_PAGE = 30

_FIELDS: dict[str, Check] = {
    "id": text,
    "participants": list_of(text),
    "subject": nullable(text),
    "welcomeMessages": nullable(list_of(text)),
    "custom": custom_data,
    "photoUrl": nullable(text),
}

# Versions that changed something here. Source: the documentation's "API changelog".
_SORTING_SINCE = "2021-02-09"
UNKNOWN_USER_IS_404_SINCE = "2024-01-01"


@routes.add(
    "conversations.upsert",
    "PUT",
    "/conversations/{conversation}",
    mark="documented",
    source="Conversations",
)
def upsert(context: RouteContext, conversation_id: str) -> Any:
    """
    Create or change a conversation.

    Participants are added; those left out are not removed. Other fields are replaced if
    given; custom data is merged (inferred).
    """
    body = read(context.json(), _FIELDS, context.switches)
    participants: list[str] = body.get("participants", [])
    if context.switches.put_conversation_unknown_user == "error":
        for user_id in participants:
            context.user(user_id)
    conversation = context.app.conversations.get(conversation_id)
    kind = "conversation.updated"
    if conversation is None:
        kind = "conversation.created"
        conversation = _create(context, conversation_id)
    if "subject" in body:
        conversation.subject = body["subject"]
    if "photoUrl" in body:
        conversation.photo_url = body["photoUrl"]
    if "welcomeMessages" in body:
        conversation.welcome_messages = body["welcomeMessages"]
    if "custom" in body:
        conversation.custom = updated_custom(conversation.custom, body["custom"], context.switches)
    context.commit(kind, conversation_id=conversation_id)
    for user_id in participants:
        if user_id not in conversation.participants:
            join(context, conversation, user_id)
    return {}


@routes.add(
    "conversations.get",
    "GET",
    "/conversations/{conversation}",
    mark="documented",
    source="Conversations",
)
def get(context: RouteContext, conversation_id: str) -> Any:
    """Return one conversation, not wrapped in anything."""
    return render_conversation(context, context.conversation(conversation_id))


@routes.add(
    "conversations.list", "GET", "/conversations", mark="documented", source="Conversations"
)
def list_(context: RouteContext) -> Any:
    """List the app's conversations, by last activity unless asked otherwise."""
    limit = page_limit(context, _MAX_CONVERSATIONS_PER_PAGE)
    by_activity, descending = _sorting(context)
    index = (
        context.app.conversations_by_activity
        if by_activity
        else context.app.conversations_by_creation
    )
    rows = _rows(context, index, descending)
    return page(rows, limit, lambda row: render_conversation(context, row))


@routes.add(
    "users.list_conversations",
    "GET",
    "/users/{user}/conversations",
    mark="documented",
    source="Users, Listing conversations a user is a part of",
)
def list_of_user(context: RouteContext, user_id: str) -> Any:
    """List a user's conversations. `unreadsOnly=true` leaves out the read ones."""
    limit = page_limit(context, _MAX_CONVERSATIONS_PER_PAGE)
    user = context.app.users.get(user_id)
    if user is None:
        if context.version >= UNKNOWN_USER_IS_404_SINCE:
            raise not_found("user", user_id)
        return {"data": []}
    by_activity, descending = _sorting(context)
    index = Index[StoredConversation]("activity" if by_activity else "order")
    for conversation_id in user.conversation_ids:
        index.add(context.app.conversations[conversation_id])
    rows: Iterable[StoredConversation] = _rows(context, index, descending)
    if flag(context, "unreadsOnly"):
        rows = (row for row in rows if row.is_unread_by(user_id, row.place_of(user_id)))
    return page(rows, limit, lambda row: render_conversation_for(context, row, user_id))


@routes.add(
    "conversations.delete",
    "DELETE",
    "/conversations/{conversation}",
    mark="documented",
    source="Conversations, Deleting conversations",
)
def delete(context: RouteContext, conversation_id: str) -> Any:
    """Delete a conversation with everything in it, for good."""
    app = context.app
    conversation = app.conversations.pop(conversation_id, None)
    if conversation is None:
        if context.switches.delete_unknown == "not_found":
            raise not_found("conversation", conversation_id)
        return {}
    app.conversations_by_creation.remove(conversation)
    app.conversations_by_activity.remove(conversation)
    for user_id in (*conversation.participants, *conversation.left):
        user = app.users.get(user_id)
        if user is not None:
            user.conversation_ids.discard(conversation_id)
    context.commit("conversation.deleted", conversation_id=conversation_id)
    context.emit("conversation.deleted", lambda: conversation_data(context, conversation))
    return {}


def _create(context: RouteContext, conversation_id: str) -> StoredConversation:
    order = context.order(conversation_id)
    conversation = StoredConversation(
        id=conversation_id, created_at=context.now_ms, order=order, activity=order
    )
    app = context.app
    app.conversations[conversation_id] = conversation
    app.conversations_by_creation.add(conversation)
    app.conversations_by_activity.add(conversation)
    return conversation


def _sorting(context: RouteContext) -> tuple[bool, bool]:
    """Return whether to sort by last activity, and whether descending."""
    if context.version < _SORTING_SINCE:
        return False, True
    by = choice(context, "orderBy", ("lastActivity", "createdAt"))
    direction = choice(context, "orderDirection", ("DESC", "ASC"))
    return by == "lastActivity", direction == "DESC"


def _rows(
    context: RouteContext, index: Index[StoredConversation], descending: bool
) -> Iterator[StoredConversation]:
    after, gone = cursor(context, context.app.conversations)
    if gone:
        return
    bound = moment(context, "offsetTs") if context.version >= _SORTING_SINCE else None
    before = moment(context, "lastMessageBefore")
    since = moment(context, "lastMessageAfter")
    matches = conversation_filter(context.query.get("filter"))
    for conversation in index.walk(descending=descending, after=after, bound=bound):
        if before is not None or since is not None:
            last = conversation.messages.last()
            if last is None:
                continue
            if before is not None and last.created_at >= before:
                continue
            if since is not None and last.created_at <= since:
                continue
        if matches(conversation):
            yield conversation
