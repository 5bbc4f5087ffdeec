"""The endpoints, one module per noun, and the table of all of them."""

from talkjs_async.emulator.routes import (
    anonymous,
    apps,
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
from talkjs_async.emulator.routing import Route, Router

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
    *apps.routes.all,
    *anonymous.routes.all,
)

ROUTER = Router(ROUTES)
