"""
The little web application behind the inspection page, and a control API for other languages.

| | |
|---|---|
| `GET /_emulator/` | the page; `?conversation=<id>` chooses what it shows |
| `GET /_emulator/events` | server-sent events: something has happened |
| `GET /_emulator/log` | requests, commits, webhook deliveries and faults as JSON |
| `POST /_emulator/do` | one action, as JSON; see `_controls.py` |

It is for people at the same machine: the Host has to be a loopback name (else any website could
read it through a DNS name of its own), and an action needs the header `X-Emulator`, which a foreign
website cannot send.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

import anyio
import attrs

from talkjs_async.emulator._asgi_messages import Receive, Scope, Send, read_body, send_response
from talkjs_async.emulator._paths import INSPECTION
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._requests import decode
from talkjs_async.emulator._responses import Response, encode, problem_response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.page._controls import act
from talkjs_async.emulator.page._document import document

ACTION_HEADER = b"x-emulator"

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 15.0

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_ASSETS = {"page.js": b"text/javascript", "page.css": b"text/css"}


class Inspector:
    """Answers everything under `/_emulator/` but the uploaded files."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        name = scope["path"].removeprefix(INSPECTION)
        if not _is_loopback(headers.get(b"host", b"")):
            await _send(_refusal(403, "This page is for http://localhost only."), send)
        elif scope["method"] == "GET" and name == "events":
            await self._events(receive, send)
        elif scope["method"] == "POST" and name == "do":
            body = await read_body(receive)
            await _send(self._do(headers, body), send)
        elif scope["method"] == "GET":
            await _send(self._get(name, scope["query_string"].decode("latin-1")), send)
        else:
            await _send(_refusal(405, "There is only GET, and POST of /_emulator/do."), send)

    def _get(self, name: str, query: str) -> Response:
        world = self._world
        if name in _ASSETS:
            content = files(__name__.rpartition(".")[0]).joinpath(name).read_bytes()
            return Response(200, content, ((b"content-type", _ASSETS[name]),))
        if name == "log":
            with world.lock:
                return Response(200, encode(_log(world)))
        if name:
            return _refusal(404, "There is nothing here. The page is at /_emulator/.")
        chosen = parse_qs(query).get("conversation", [None])[0]
        with world.lock:
            html = document(world, chosen)
        # A message may hold half of a surrogate pair, which no encoding has.
        content = html.encode(errors="replace")
        return Response(200, content, ((b"content-type", b"text/html; charset=utf-8"),))

    def _do(self, headers: dict[bytes, bytes], body: bytes) -> Response:
        if ACTION_HEADER not in headers:
            return _refusal(403, "An action needs the header X-Emulator: 1.")
        try:
            return Response(200, encode(act(self._world, decode(body))))
        except Problem as problem:
            return problem_response(problem)
        except ValueError as error:
            return _refusal(400, str(error))

    async def _events(self, receive: Receive, send: Send) -> None:
        head = (*_SAFE, (b"content-type", b"text/event-stream"))
        await send({"type": "http.response.start", "status": 200, "headers": [*head]})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_disconnected, receive, tasks.cancel_scope.cancel)
            await self._tell_changes(send)

    async def _tell_changes(self, send: Send) -> None:
        """
        Tell the page whenever anything is different.

        Looks instead of being told, because what changes the emulator may be another thread. One
        glance at a few counters is cheaper than a queue per viewer, and cannot grow.
        """
        told: object = None
        quiet = 0.0
        while True:
            now = _fingerprint(self._world)
            if now != told or quiet > _SECONDS_BETWEEN_SIGNS_OF_LIFE:
                told, quiet = now, 0.0
                body = b"data: changed\n\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)
            quiet += _SECONDS_BETWEEN_LOOKS


def _is_loopback(host: bytes) -> bool:
    name = host.decode("latin-1").lower()
    bare = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
    return bare in _LOOPBACK


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
        len(world.webhooks.pending),
        world.webhooks.delivered,
        [(id(plan), plan.fired) for plan in world.faults],
        {user: len(sessions) for user, sessions in world.main_app.sessions.items()},
    )


def _log(world: World) -> dict[str, Any]:
    return {
        "now": world.clock.time(),
        "requests": [attrs.asdict(entry) for entry in world.requests],
        "commits": [attrs.asdict(entry) for entry in world.commits],
        "deliveries": [
            {**attrs.asdict(entry), "body": entry.body.decode(errors="replace")}
            for entry in world.webhooks.deliveries
        ],
        "faults": [
            {"id": plan.fault.id, "on": plan.on, "fired": plan.fired, "left": plan.left}
            for plan in world.faults
        ],
    }
