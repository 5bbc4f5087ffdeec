"""The endpoints, one module per noun, and the table of all of them."""

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

ROUTER = Router(ROUTES)
