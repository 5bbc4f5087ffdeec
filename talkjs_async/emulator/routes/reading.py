"""
Marking conversations as read and unread, in the older forms.

Neither is in the documentation that we could read: a PHP library and a program in production post
to `readBy`, a description of the API of 2026 sends `readUntil` by PATCH to the user's conversation.
The newest form changes a participant, see `participants.py`. The switch `mark_as_read` says which
of them the server has; `readBy` cannot mark as unread.
"""

from typing import Any

from talkjs_async.emulator._checks import read
from talkjs_async.emulator._problems import no_such_call
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator.routes._marking import mark_read

__all__ = ["routes"]

routes: Routes = Routes()


@routes.add(
    "conversations.mark_as_read",
    "POST",
    "/conversations/{conversation}/readBy/{user}",
    mark="code",
    source="A PHP library; an Elixir app in production",
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
    _has_form(context, "user_conversation")
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


def _read_until(value: object) -> str | None:
    if value == "sent" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return None
    return 'must be a time in whole milliseconds since 1970, or "sent"'


def _has_form(context: RouteContext, form: str) -> None:
    if context.switches.mark_as_read not in (form, "all"):
        raise no_such_call()
