"""
What a lifespan leaves in the state of an app, under which names.

One app may have several TalkJS apps, each under a name, and a lifespan may be entered several times
at once, for example by two servers of one app.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
from starlette.applications import Starlette
from starlette.datastructures import State

from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.webhooks import Webhooks

DEFAULT_NAME: Final = "talkjs"

_OPEN: Final = "talkjs_opened_by_lifespans"


@attrs.frozen(eq=False)
class Opened:
    """A client that a lifespan has opened, and what verifies its webhooks."""

    lifespan: object
    talkjs: AsyncTalkJS
    webhooks: Webhooks | None


def check_name(name: str) -> str:
    """Return a name that the state of an app can have."""
    if not (isinstance(name, str) and name.isidentifier()):
        raise ConfigurationError(
            "name", f"must be a Python identifier such as 'shop', not {shown(name)}."
        )
    return name


def check_free(app: Starlette, name: str, lifespan: object) -> None:
    """
    Make sure that no other lifespan has this name in the app.

    Raises:
        ConfigurationError: One has: the second would take the place of the first.
    """
    if any(opened.lifespan is not lifespan for opened in _opened(app.state).get(name, ())):
        raise ConfigurationError(
            "name",
            f"{shown(name)} belongs to another TalkJS lifespan of this app: give one of them a "
            "name, as in lifespan_with(name='shop', app_id=..., secret_key=...).",
        )


@contextmanager
def held(app: Starlette, name: str, opened: Opened) -> Iterator[None]:
    """Show a client to the app's requests, until the end of the block."""
    there = _opened(app.state).setdefault(name, [])
    there.append(opened)
    _show(app.state, name, there)
    try:
        yield
    finally:
        there.remove(opened)
        _show(app.state, name, there)


def talkjs_in(state: State, name: str) -> AsyncTalkJS | None:
    """Return the client of a name. None: no lifespan runs."""
    found = getattr(state, _keys(name)[0], None)
    return found if isinstance(found, AsyncTalkJS) else None


def webhooks_in(state: State, name: str) -> Webhooks | None:
    """Return what verifies the webhooks of a name. None: no lifespan runs, or it has no key."""
    found = getattr(state, _keys(name)[1], None)
    return found if isinstance(found, Webhooks) else None


def _opened(state: State) -> dict[str, list[Opened]]:
    if not hasattr(state, _OPEN):
        setattr(state, _OPEN, {})
    opened: dict[str, list[Opened]] = getattr(state, _OPEN)
    return opened


def _show(state: State, name: str, there: list[Opened]) -> None:
    """Let requests see the one that was opened last."""
    for key, value in zip(
        _keys(name), (there[-1].talkjs, there[-1].webhooks) if there else (None, None), strict=True
    ):
        if there:
            setattr(state, key, value)
        elif hasattr(state, key):
            delattr(state, key)


def _keys(name: str) -> tuple[str, str]:
    if name == DEFAULT_NAME:
        return "talkjs", "talkjs_webhooks"
    return f"talkjs_{name}", f"talkjs_webhooks_{name}"
