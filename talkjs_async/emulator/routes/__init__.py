"""The endpoints, one module per noun, and the table of all of them."""

from talkjs_async.emulator.routes import conversations, messages, participants, users
from talkjs_async.emulator.routing import Route, Router

ROUTES: tuple[Route, ...] = (
    *users.routes.all,
    *conversations.routes.all,
    *participants.routes.all,
    *messages.routes.all,
)

ROUTER = Router(ROUTES)
