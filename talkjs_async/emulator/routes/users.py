"""Users. Source: the REST API pages "Users" and "User Presence" of TalkJS's documentation."""

from collections.abc import Iterable, Mapping
from typing import Any

from talkjs_async.emulator._checks import (
    Check,
    custom_data,
    list_of,
    map_of,
    nullable,
    one_of,
    text,
    updated_custom,
    wrong_arguments,
    wrong_fields,
)
from talkjs_async.emulator._problems import Problem, bad_request, no_such_call
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredUser
from talkjs_async.emulator.routes._events import user_data
from talkjs_async.emulator.routes._listing import cursor, flag, page, page_limit
from talkjs_async.emulator.routes._rendering import render_user

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_USERS_PER_PAGE = 100
_MAX_USERS_PER_PUT = 100

# `id` and `availabilityText` are sent by official scripts (seen in code), the rest is documented.
_FIELDS: dict[str, Check] = {
    "id": text,
    "name": text,
    "email": nullable(list_of(text)),
    "phone": nullable(list_of(text)),
    "welcomeMessage": nullable(text),
    "photoUrl": nullable(text),
    "locale": nullable(text),
    "role": nullable(text),
    "availabilityText": nullable(text),
    "custom": custom_data,
    "pushTokens": nullable(map_of(one_of(True, None))),
}
_PLAIN_FIELDS = {
    "name": "name",
    "email": "email",
    "phone": "phone",
    "welcomeMessage": "welcome_message",
    "photoUrl": "photo_url",
    "locale": "locale",
    "role": "role",
    "availabilityText": "availability_text",
}


@routes.add("users.upsert", "PUT", "/users/{user}", mark="documented", source="Users")
def upsert(context: RouteContext, user_id: str) -> Any:
    """Create or change one user. In spite of PUT only the given fields change."""
    body = context.json()
    problems = _wrong_user(context, user_id, body)
    if problems:
        raise wrong_arguments(problems, context.switches)
    _apply(context, user_id, body)
    return {}


@routes.add("users.upsert_many", "PUT", "/users", mark="documented", source="Users")
def upsert_many(context: RouteContext) -> Any:
    """Create or change up to 100 users, all of them or none."""
    body = context.json()
    if not isinstance(body, dict):
        raise bad_request(["The body must be an object of user ID to user."])
    if len(body) > _MAX_USERS_PER_PUT:
        raise bad_request([f"At most {_MAX_USERS_PER_PUT} users can be sent at once."])
    problems = {
        user_id: wrong
        for user_id, user in body.items()
        if (wrong := _wrong_user(context, user_id, user))
    }
    if problems:
        raise _refused_users(context, problems)
    for user_id, user in body.items():
        _apply(context, user_id, user)
    return {}


@routes.add("users.get", "GET", "/users/{user}", mark="documented", source="Users")
def get(context: RouteContext, user_id: str) -> Any:
    """Return one user, not wrapped in anything."""
    return render_user(context, context.user(user_id))


@routes.add("users.list", "GET", "/users", mark="documented", source="Introduction, Listing data")
def list_(context: RouteContext) -> Any:
    """List the app's users, newest first. `isOnline` was seen in code only."""
    limit = page_limit(context, _MAX_USERS_PER_PAGE)
    online = flag(context, "isOnline")
    after, gone = cursor(context, context.app.users)
    if gone:
        return {"data": []}
    rows: Iterable[StoredUser] = context.app.users_in_order.walk(descending=True, after=after)
    if online is not None:
        rows = (user for user in rows if (user.id in context.app.sessions) is online)
    return page(rows, limit, lambda user: render_user(context, user))


@routes.add(
    "users.list_sessions",
    "GET",
    "/users/{user}/sessions",
    mark="documented",
    source="User Presence, 2018",
)
def list_sessions(context: RouteContext, user_id: str) -> Any:
    """List where a user is online. Superseded by presences, perhaps still served."""
    if context.switches.old_sessions == "gone":
        raise no_such_call()
    context.user(user_id)
    return [
        {
            "isTyping": session.typing_until > context.now,
            "currentConversationId": session.selected_conversation_id,
        }
        for session in context.app.sessions.get(user_id, ())
    ]


def _wrong_user(context: RouteContext, user_id: str, body: object) -> dict[str, str]:
    # A name is needed to create a user, not to change one (documented type; SDK rule).
    required = () if user_id in context.app.users else ("name",)
    return wrong_fields(body, _FIELDS, context.switches, required=required)


def _refused_users(context: RouteContext, problems: Mapping[str, Mapping[str, str]]) -> Problem:
    named = {
        user_id: [f"{name}: {wrong}." for name, wrong in fields.items()]
        for user_id, fields in problems.items()
    }
    if context.switches.users_batch_errors == "bare":
        return Problem(400, "INVALID_REQUEST", named, body=named)
    if context.switches.users_batch_errors == "unnamed":
        return bad_request(["Some of the users are not valid."])
    return bad_request(named)


def _apply(context: RouteContext, user_id: str, body: Mapping[str, Any]) -> None:
    app = context.app
    user = app.users.get(user_id)
    kind = "user.updated"
    if user is None:
        kind = "user.created"
        user = StoredUser(id=user_id, created_at=context.now_ms, order=context.order(user_id))
        app.users[user_id] = user
        app.users_in_order.add(user)
    for name, attribute in _PLAIN_FIELDS.items():
        if name in body:
            setattr(user, attribute, body[name])
    if "custom" in body:
        user.custom = updated_custom(user.custom, body["custom"], context.switches)
    if "pushTokens" in body:
        user.push_tokens = _updated_push_tokens(user.push_tokens, body["pushTokens"])
    context.commit(kind, user_id=user_id)
    context.emit(kind, lambda: user_data(context, user_id))


def _updated_push_tokens(
    old: Mapping[str, bool] | None, new: Mapping[str, bool | None] | None
) -> dict[str, bool] | None:
    # Documented: true registers a device, null unregisters it; null for the field, all of them.
    if new is None:
        return None
    merged = {**(old or {}), **new}
    return {token: True for token, registered in merged.items() if registered}
