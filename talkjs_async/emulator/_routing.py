"""
Which function answers which request.

Works on the raw path, one segment at a time, because IDs may contain anything, `/` (as `%2F`) and
emoji included, and a decoded path could no longer be split.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar
from urllib.parse import unquote_to_bytes

import attrs

from talkjs_async.emulator._problems import bad_request

# How sure we are that TalkJS has this endpoint: read in its documentation; seen in code that runs
# against it; claimed by a third party; concluded.
Mark = Literal["documented", "code", "third party", "inferred"]
Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)


@attrs.frozen
class Route:
    """One endpoint: its name (`messages.send`), where it is, and where we know it from."""

    name: str
    method: str
    path: str
    mark: Mark
    source: str
    handler: Handler
    user_tokens: bool = False
    """Whether a user's token is good enough, too."""
    open: bool = False
    """Whether it belongs to no app and needs no token."""


class Routes:
    """The endpoints of one module."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def add(
        self,
        name: str,
        method: str,
        path: str,
        *,
        mark: Mark,
        source: str,
        user_tokens: bool = False,
        open: bool = False,
    ) -> Callable[[H], H]:
        """
        Register the decorated function for *method* and *path*.

        It is called with the `RouteContext` and one decoded ID for every `{...}` in the path, and
        returns what is to be sent as JSON.
        """

        def register(handler: H) -> H:
            route = Route(name, method, path, mark, source, handler, user_tokens, open)
            self.all.append(route)
            return handler

        return register


@attrs.define
class _Node:
    literals: dict[str, "_Node"] = attrs.field(factory=dict)
    parameter: "_Node | None" = None
    routes: dict[str, Route] = attrs.field(factory=dict)


class Router:
    """Finds routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self.routes: tuple[Route, ...] = tuple(routes)
        for route in self.routes:
            node = self._root
            for segment in _segments(route.path):
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.routes[route.method] = route

    def find(self, method: str, path: str) -> tuple[Route, list[str]] | None:
        """Return the route and the decoded IDs, or None. One trailing slash does not matter."""
        node = self._root
        ids: list[str] = []
        for segment in _segments(path):
            child = node.literals.get(segment)
            if child is None:
                child = node.parameter
                if child is None or not segment:
                    return None
                ids.append(decode_segment(segment))
            node = child
        route = node.routes.get(method)
        return None if route is None else (route, ids)


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").removesuffix("/").split("/")


def decode_segment(segment: str) -> str:
    """Undo the percent-encoding of one path segment."""
    if "%" not in segment:
        return segment
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise bad_request([f"The path segment {segment!r} is not UTF-8."]) from error
