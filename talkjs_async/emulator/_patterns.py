"""Which requests are meant, as fault plans and searches of the log say it."""

import re
from functools import cache

_TOKENS = re.compile(r"\*\*|\*|.", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\w+\}")
_ID, _MORE_OF_ID = "{", "}"
"""The first character of an ID in a path, and the others."""
_IN_ID = re.compile(r"[\w.~!$&'()*+,;=:@%-]", re.ASCII)
"""What a percent-encoded ID is made of."""


def request_pattern(on: str) -> re.Pattern[str]:
    """Compile `"POST /users/*"`, `"POST"` or `"/users/*"` to match `"POST /users/a"`."""
    method, path = _split(on)
    expression = re.escape(path).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(f"{re.escape(method) if method else '[A-Z]+'} {expression}/?")


def can_meet(on: str, method: str, path: str) -> bool:
    """Tell whether some request that *on* means goes to a route, such as `"/users/{user}"`."""
    wanted, pattern = _split(on)
    if wanted not in ("", method):
        return False
    tokens = _TOKENS.findall(pattern)
    route = _PLACEHOLDER.sub(_ID + _MORE_OF_ID, path)
    # One trailing slash does not matter.
    return _share_a_path(tokens, route) or _share_a_path(tokens, f"{route}/")


def pattern_of(method: str, path: str) -> str:
    """Say a route as a plan does: `"GET /users/*"`."""
    return f"{method} {_PLACEHOLDER.sub('*', path)}"


def _split(on: str) -> tuple[str, str]:
    method, _, path = on.strip().rpartition(" ")
    if not method and not path.startswith("/"):
        method, path = path, "/**"
    return method.strip().upper(), path


def _share_a_path(tokens: list[str], route: str) -> bool:
    @cache
    def share(at: int, to: int) -> bool:
        token = tokens[at] if at < len(tokens) else ""
        place = route[to] if to < len(route) else ""
        if not token and not place:
            return True
        repeats = token in ("*", "**")
        if (repeats and share(at + 1, to)) or (place == _MORE_OF_ID and share(at, to + 1)):
            return True
        if not token or not place or (repeats and place == _MORE_OF_ID):
            return False
        return _fits(token, place) and share(
            at if repeats else at + 1, to if place == _MORE_OF_ID else to + 1
        )

    return share(0, 0)


def _fits(token: str, place: str) -> bool:
    """Whether one character can be what both want."""
    if token == "**":  # noqa: S105  # no password
        return True
    if place in (_ID, _MORE_OF_ID):
        return token == "*" or _IN_ID.fullmatch(token) is not None  # noqa: S105
    return place == token or (token == "*" and place != "/")  # noqa: S105
