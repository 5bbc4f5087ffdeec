"""
The web application behind the inspection page.

| | |
|---|---|
| `GET /_emulator/` | the page; `?conversation=<id>` and `?find=<text>` choose what it shows |
| `GET /_emulator/events` | server-sent events: something has happened |

Actions of the page go through the control API, as those of a program do.
"""

from collections.abc import Callable
from importlib.resources import files
from urllib.parse import parse_qs

import anyio

from talkjs_async.emulator._asgi_messages import Receive, Scope, Send, send_response
from talkjs_async.emulator._paths import INSPECTION
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._responses import Response, problem_response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.page._document import document

_SECONDS_BETWEEN_LOOKS = 0.01
_SECONDS_BETWEEN_KEEPALIVES = 15.0

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_ASSETS = {"page.js": b"text/javascript", "page.css": b"text/css"}


class Inspector:
    """Answers everything under `/_emulator/` except the uploaded files."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = scope["path"].removeprefix(INSPECTION)
        if scope["method"] == "GET" and name == "events":
            await self._events(receive, send)
        elif scope["method"] == "GET":
            await _send(self._get(name, scope["query_string"].decode("latin-1")), send)
        else:
            await _send(
                _refusal(405, "Only GET is allowed; the control API is /_emulator/v1/."), send
            )

    def _get(self, name: str, query: str) -> Response:
        world = self._world
        if name in _ASSETS:
            content = files(__name__.rpartition(".")[0]).joinpath(name).read_bytes()
            return Response(200, content, ((b"content-type", _ASSETS[name]),))
        if name:
            return _refusal(404, "There is nothing here. The page is at /_emulator/.")
        asked = parse_qs(query)
        chosen, find = asked.get("conversation", [None])[0], asked.get("find", [""])[0]
        with world.lock:
            html = document(world, chosen, find)
        # A message may hold half of a surrogate pair, which no encoding has.
        content = html.encode(errors="replace")
        return Response(200, content, ((b"content-type", b"text/html; charset=utf-8"),))

    async def _events(self, receive: Receive, send: Send) -> None:
        head = (*_SAFE, (b"content-type", b"text/event-stream"))
        await send({"type": "http.response.start", "status": 200, "headers": [*head]})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_disconnected, receive, tasks.cancel_scope.cancel)
            await self._tell_changes(send)

    async def _tell_changes(self, send: Send) -> None:
        """
        Tell the page whenever anything has changed.

        Polls, because another thread may change the emulator. Reading a few counters is cheaper
        than a queue per viewer, and cannot grow.
        """
        told: object = None
        quiet = 0.0
        while True:
            now = _fingerprint(self._world)
            if now != told or quiet > _SECONDS_BETWEEN_KEEPALIVES:
                told, quiet = now, 0.0
                body = b"data: changed\n\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)
            quiet += _SECONDS_BETWEEN_LOOKS


def _refusal(status: int, reason: str) -> Response:
    return problem_response(Problem(status, "REFUSED_BY_EMULATOR", [reason]))


async def _send(response: Response, send: Send) -> None:
    response.headers = (*response.headers, *_SAFE)
    await send_response(response, send)


async def _until_disconnected(receive: Receive, then: Callable[[], object]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    then()


def _fingerprint(world: World) -> object:
    last = world.requests[-1] if world.requests else None
    return (
        world.requests.total,
        last and last.status,
        world.commits.total,
        world.changes,
        world.webhooks.waiting,
        world.webhooks.delivered,
        [(id(plan), plan.fired) for plan in world.faults],
        {user: len(sessions) for user, sessions in world.main_app.sessions.items()},
    )
