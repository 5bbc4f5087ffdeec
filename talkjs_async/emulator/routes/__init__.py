"""
The endpoints, one module per resource, and the table of all of them.

What simulated users do is done by the same functions: `read_item`, `post` and `mark_read`.
"""

from talkjs_async.emulator._routing import Route, Router
from talkjs_async.emulator.routes import (
    anonymous,
    app,
    batch,
    conversations,
    files,
    imports,
    messages,
    notifications,
    participants,
    presences,
    reactions,
    reading,
    users,
)
from talkjs_async.emulator.routes._marking import mark_read
from talkjs_async.emulator.routes._posting import post, read_item

__all__ = ["ROUTER", "ROUTES", "Route", "Router", "mark_read", "post", "read_item"]

ROUTES: tuple[Route, ...] = (
    *users.routes.all,
    *conversations.routes.all,
    *reading.routes.all,
    *participants.routes.all,
    *messages.routes.all,
    *reactions.routes.all,
    *files.routes.all,
    *notifications.routes.all,
    *presences.routes.all,
    *imports.routes.all,
    *batch.routes.all,
    *app.routes.all,
    *anonymous.routes.all,
)

ROUTER: Router = Router(ROUTES)
