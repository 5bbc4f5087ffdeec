"""
Fixtures and markers for pytest: an emulator per test, and what is wired to it.

| fixture | |
|---|---|
| `talkjs_emulator` | an empty `Emulator` on virtual time |
| `talkjs` | a client of it, in process, for whatever runs the test: anyio, asyncio or trio |
| `talkjs_app` | `talkjs_app(app)` wires a FastAPI app to it: client, webhooks, deliveries |
| `talkjs_server` | the same emulator on a port, on real time; the environment points to it |

| marker | |
|---|---|
| `talkjs_fault("return-503", on=..., first=1)` | a planned fault; may be repeated |
| `talkjs_limits(burst=2, ...)` | other rate limits; `enabled=False` for none |
| `talkjs_switches(delete_unknown="not_found", ...)` | other undocumented behaviour |
| `talkjs_clock("real")`, `talkjs_clock("virtual", start=...)` | another clock |
| `talkjs_allow("unfired_faults", ...)` | do not fail for that |

A test that passes fails all the same if a planned fault never fired, if a route was asked for that
the emulator does not have, or if a webhook was refused.

pytest loads this module in every project where the package is installed, so it imports nothing but
pytest until a fixture is used. The fixtures are synchronous: async ones would belong to one of the
plugins that run async tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import httpx

    from talkjs_async.client import AsyncTalkJS
    from talkjs_async.emulator import Emulator, EmulatorClock
    from talkjs_async.emulator.server import Server

__all__ = ["WireApp", "talkjs", "talkjs_app", "talkjs_emulator", "talkjs_server"]

_NOWHERE = "http://talkjs-emulator.invalid"
"""For clients that a program under test makes from its environment beside the wired one: they must
not reach TalkJS."""


class WireApp(Protocol):
    """What the fixture `talkjs_app` is."""

    def __call__(
        self, app: Any, *, path: str = ..., events: Collection[str] | None = ...
    ) -> httpx.AsyncClient:
        """
        Wire an app to the test's emulator, until the test ends.

        Its dependencies `TalkJSDep` and `WebhooksDep` are the emulator's client and a verifier on
        the emulator's clock, its lifespan finds credentials, and the emulator's webhooks go to it
        with `await talkjs_emulator.webhooks.settle()`.

        Args:
            app: A FastAPI app.
            path: Of its webhook route.
            events: The event types to deliver. None: all of them.

        Returns:
            An HTTP client that calls the app in process. The app's lifespan is not run by it.
        """
        ...


@pytest.fixture
def talkjs_emulator(request: pytest.FixtureRequest) -> Emulator:
    """Make an empty emulator for this test, as its markers want it."""
    from talkjs_async.emulator import Emulator, Limits  # noqa: PLC0415

    emulator = Emulator(
        clock=_clock(request), limits=Limits(**_options(request, "limits")), seed=request.node.name
    )
    for name, value in _options(request, "switches").items():
        emulator.switches.set(name, str(value))
    for marker in reversed(list(request.node.iter_markers("talkjs_fault"))):
        emulator.faults.add(*marker.args, **marker.kwargs)
    request.node.stash[_EMULATOR] = emulator
    return emulator


@pytest.fixture
def talkjs(talkjs_emulator: Emulator) -> AsyncTalkJS:
    """Make a client of the emulator, in process. It holds nothing that needs closing."""
    from talkjs_async.client import AsyncTalkJS  # noqa: PLC0415

    return AsyncTalkJS(
        talkjs_emulator.app_id,
        talkjs_emulator.secret_key,
        transport=talkjs_emulator.transport,
        clock=talkjs_emulator.clock,
    )


@pytest.fixture
def talkjs_server(talkjs_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the emulator on a free port; `TALKJS_BASE_URL` and the credentials point to it."""
    with talkjs_emulator.serve() as server:
        _set_environment(monkeypatch, talkjs_emulator, server.base_url)
        yield server


@pytest.fixture
def talkjs_app(
    talkjs_emulator: Emulator,
    talkjs: AsyncTalkJS,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> WireApp:
    """Return the function that wires a FastAPI app to the emulator."""
    import httpx  # noqa: PLC0415

    from talkjs_async.fastapi import get_talkjs, get_webhooks  # noqa: PLC0415
    from talkjs_async.webhooks import Webhooks  # noqa: PLC0415

    webhooks = Webhooks(talkjs_emulator.secret_key, clock=talkjs_emulator.clock)

    async def this_client() -> AsyncTalkJS:
        return talkjs

    async def this_verifier() -> Webhooks:
        return webhooks

    def wire(
        app: Any, *, path: str = "/webhooks/talkjs", events: Collection[str] | None = None
    ) -> httpx.AsyncClient:
        if "talkjs_server" not in request.fixturenames:
            _set_environment(monkeypatch, talkjs_emulator, _NOWHERE)
        monkeypatch.setitem(app.dependency_overrides, get_talkjs, this_client)
        monkeypatch.setitem(app.dependency_overrides, get_webhooks, this_verifier)
        monkeypatch.setattr(app.state, "talkjs", talkjs, raising=False)
        monkeypatch.setattr(app.state, "talkjs_webhooks", webhooks, raising=False)
        monkeypatch.setattr(
            app.router, "lifespan_context", _keeping_state(app.router.lifespan_context)
        )
        talkjs_emulator.webhooks.to(app, path=path, events=events)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app")

    return wire


def _keeping_state(lifespan: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Run a lifespan, but leave the client and the verifier in the app's state as they were."""

    @asynccontextmanager
    async def kept(app: Any) -> AsyncIterator[Any]:
        wired = app.state.talkjs, app.state.talkjs_webhooks
        try:
            async with lifespan(app) as state:
                app.state.talkjs, app.state.talkjs_webhooks = wired
                yield state
        finally:
            app.state.talkjs, app.state.talkjs_webhooks = wired

    return kept


def _set_environment(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, base_url: str) -> None:
    monkeypatch.setenv("TALKJS_BASE_URL", base_url)
    monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
    monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)


def _clock(request: pytest.FixtureRequest) -> EmulatorClock:
    from talkjs_async.emulator import RealClock, VirtualClock  # noqa: PLC0415

    marker = request.node.get_closest_marker("talkjs_clock")
    on_a_port = "talkjs_server" in request.fixturenames
    default = ("real" if on_a_port else "virtual",)
    kind, options = (marker.args or default, marker.kwargs) if marker else (default, {})
    if kind == ("real",) and not options:
        return RealClock()
    if kind == ("virtual",):
        return VirtualClock(**options)
    raise ValueError('talkjs_clock takes "real", or "virtual" and optionally start=<Unix time>.')


def _options(request: pytest.FixtureRequest, what: str) -> dict[str, Any]:
    """Return the keyword arguments of all markers of a name; the closest one counts."""
    markers = reversed(list(request.node.iter_markers(f"talkjs_{what}")))
    return {name: value for marker in markers for name, value in marker.kwargs.items()}


_EMULATOR: pytest.StashKey[Emulator] = pytest.StashKey()

_MARKERS = (
    "talkjs_fault(id, *, on, p, first, nth, seconds): plan a fault of the talkjs_emulator",
    "talkjs_limits(**limits): give the talkjs_emulator other rate limits",
    "talkjs_switches(**switches): have the talkjs_emulator behave otherwise",
    'talkjs_clock("real" | "virtual", *, start): give the talkjs_emulator another clock',
    "talkjs_allow(*what): do not fail for unfired_faults, unknown_routes or refused_webhooks",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has passed without noticing what went wrong at the emulator."""
    try:
        result = yield
    except BaseException:
        # It may well be the reason for which the test failed.
        for problem in _problems(item):
            item.add_report_section("call", "talkjs_emulator", problem)
        raise
    problems = list(_problems(item))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    return result


def _problems(item: pytest.Item) -> Iterator[str]:
    emulator = item.stash.get(_EMULATOR, None)
    if emulator is None:
        return
    allowed = {name for marker in item.iter_markers("talkjs_allow") for name in marker.args}
    if not allowed <= set(_CHECKS):
        yield f"talkjs_allow knows {', '.join(_CHECKS)}; not {sorted(allowed - set(_CHECKS))}."
    for name, check in _CHECKS.items():
        if name not in allowed:
            for problem in check(emulator):
                yield f"{problem}\n  If that is meant: @pytest.mark.talkjs_allow({name!r})"


def _unfired_faults(emulator: Emulator) -> Iterator[str]:
    for plan in emulator.faults.unfired:
        yield (
            f"The fault {plan.fault.id!r} on {plan.on or 'any request'} fired {plan.fired} times, "
            "less often than planned."
        )


def _unknown_routes(emulator: Emulator) -> Iterator[str]:
    for request in emulator.requests:
        for entry in (request, *request.operations):
            if entry.status in (404, 501) and not entry.operation:
                yield f"The emulator has no {entry.method} {entry.path}."


def _refused_webhooks(emulator: Emulator) -> Iterator[str]:
    last = {(entry.event_id, entry.target): entry for entry in emulator.webhooks.deliveries}
    for entry in last.values():
        if entry.status != 200 and entry.tampering is None:
            answer = "did not answer" if entry.status is None else f"answered {entry.status}"
            reason = f": {entry.error}" if entry.error else "."
            yield f"{entry.target} {answer} to the webhook {entry.event_type!r}{reason}"


_CHECKS: dict[str, Callable[[Emulator], Iterator[str]]] = {
    "unfired_faults": _unfired_faults,
    "unknown_routes": _unknown_routes,
    "refused_webhooks": _refused_webhooks,
}
