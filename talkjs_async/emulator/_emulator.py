"""
The emulator itself: takes requests in, gives answers out, and keeps the logs.

No I/O and no waiting in here. A request goes through in two steps, because a server may hold it in
a queue in between: `admit` (fault plans, rate limit, token) and `handle` (the work). Each step is
atomic, under one lock, so that threads may share an emulator. Who drives the two steps waits and
delivers: `transport.py` in process, `asgi.py` over TCP.
"""

import itertools
import random
import threading
from collections.abc import Callable
from email.utils import formatdate
from functools import cached_property
from typing import TYPE_CHECKING, Any

from talkjs_async.emulator._ids import IdGenerator
from talkjs_async.emulator._paths import FILES
from talkjs_async.emulator._problems import Problem, bad_request, not_found, not_implemented
from talkjs_async.emulator._records import StoredApp
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import Response, encode, json_response, problem_response
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Route
from talkjs_async.emulator.admission import RequestContext, admit
from talkjs_async.emulator.asgi import AsgiApp
from talkjs_async.emulator.clock import EmulatorClock, VirtualClock
from talkjs_async.emulator.commit_log import Commit, CommitLog
from talkjs_async.emulator.faults import Faults
from talkjs_async.emulator.limits import AppBudget, Limits
from talkjs_async.emulator.request_log import Exchange, RequestLog
from talkjs_async.emulator.routes import ROUTER
from talkjs_async.emulator.server import Server
from talkjs_async.emulator.simulated_users import SimulatedUser
from talkjs_async.emulator.switches import Switches
from talkjs_async.emulator.webhooks import WebhookSender

if TYPE_CHECKING:
    from talkjs_async.emulator.transport import EmulatorTransport

# Source: the documentation's "API changelog". A request without the header uses the latest.
API_VERSIONS = ("2021-01-01", "2021-02-09", "2021-07-30", "2024-01-01")

# An uploaded page must not act as the inspection page, which has the same origin.
_HARMLESS = (
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
)

# Seconds that a request travels to the server, and the answer back.
Latency = Callable[[random.Random], tuple[float, float]]


class Emulator:
    """
    A TalkJS of your own: an app without any users, which can be filled through its REST API.

    `transport` goes into an httpx client (in process), `asgi` into an ASGI server, and `serve()`
    listens on a port. All of them may be used at once. A new instance starts empty and shares
    nothing with others.

    Attributes:
        app_id, secret_key: The credentials to use.
        clock: Its time. Give it to the program under test as well.
        limits: The rate limits; may be exchanged at any time.
        switches: Switches for undocumented behaviour; may be changed at any time.
        faults: Plans for what goes wrong.
        requests: The log of requests: what was asked.
        commits: The commit log: what was done.
        webhooks: Where webhooks go.
        apps: The data of this app, and of others made as anonymous test projects.
    """

    router = ROUTER

    def __init__(
        self,
        *,
        app_id: str = "emulator",
        secret_key: str = "sk_test_emulator",  # noqa: S107  # opens nothing
        clock: EmulatorClock | None = None,
        limits: Limits | None = None,
        switches: Switches | None = None,
        seed: int | str = 0,
        latency: Latency | None = None,
        log_limit: int | None = None,
    ) -> None:
        """
        Make an empty app.

        Args:
            app_id: Its ID.
            secret_key: Its secret key.
            clock: Where time comes from. None: a new `VirtualClock`.
            limits: None: the documented ones.
            switches: None: the defaults.
            seed: What all IDs and all chances come from.
            latency: Gives seconds to the server and back, per request. None: no time passes.
                In process only.
            log_limit: How many requests and changes to remember. None: all of them.
        """
        self.app_id = app_id
        self.secret_key = secret_key
        self.clock: EmulatorClock = VirtualClock() if clock is None else clock
        self.switches: Switches = Switches() if switches is None else switches
        self.seed = seed
        self.latency = latency
        self.requests: RequestLog = RequestLog(log_limit)
        self.commits: CommitLog = CommitLog(log_limit)
        self.lock: threading.RLock = threading.RLock()
        self._limits = Limits() if limits is None else limits
        self._date: tuple[int, bytes] = (0, b"")
        self.webhooks: WebhookSender = WebhookSender(self)
        self.changes = 0
        """How often somebody did something to the emulator from outside of the API."""
        self._start()

    def __repr__(self) -> str:
        return f"<Emulator of app {self.app_id!r}, {self.requests.total} requests>"

    def _start(self) -> None:
        self.ids: IdGenerator = IdGenerator(self.seed)
        self.random: random.Random = random.Random(f"emulator:{self.seed}")  # noqa: S311  # repeatable
        self.faults: Faults = Faults(seed=self.seed, monotonic=self.clock.monotonic)
        self.anonymous_accounts: dict[str, StoredApp] = {}
        """Access token -> the app that belongs to it."""
        self.anonymous_created_at: dict[str, float] = {}
        """Client address -> monotonic time when it last got an anonymous app."""
        self._numbers = itertools.count(1)
        self.apps: dict[str, StoredApp] = {}
        self.add_app(self.app_id, self.secret_key)

    def reset(self) -> None:
        """
        Forget all data, logs and faults, and fill the budget up.

        Time goes on, and webhooks go where they went before.
        """
        with self.lock:
            self.webhooks.clear()
            self.requests.clear()
            self.commits.clear()
            self._start()

    def add_app(self, app_id: str, secret_key: str) -> StoredApp:
        """Add another app, with data and a budget of its own."""
        app = StoredApp(id=app_id, secret_keys=[secret_key], budget=AppBudget(self._limits))
        self.apps[app_id] = app
        return app

    @property
    def limits(self) -> Limits:
        """The rate limits in force."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        with self.lock:
            self._limits = limits
            for app in self.apps.values():
                app.budget.apply(limits, self.clock.monotonic())

    @property
    def main_app(self) -> StoredApp:
        """The app with this emulator's own ID."""
        return self.apps[self.app_id]

    @property
    def budget(self) -> AppBudget:
        """The two token buckets of the app."""
        return self.main_app.budget

    @cached_property
    def transport(self) -> "EmulatorTransport":
        """A transport for `httpx.AsyncClient` or `httpx2.AsyncClient`, in process."""
        # Not at the top: httpx would be half of the start-up time of the TCP emulator.
        from talkjs_async.emulator.transport import EmulatorTransport  # noqa: PLC0415

        return EmulatorTransport(self)

    @cached_property
    def asgi(self) -> AsgiApp:
        """The ASGI application."""
        return AsgiApp(self)

    def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> Server:
        """
        Listen on a port, from a thread of its own, for as long as a `with` block runs.

        Needs uvicorn. Port 0 picks a free one; see `Server.base_url`.
        """
        return Server(self, host=host, port=port)

    def advance(self, seconds: float) -> None:
        """Move the clock on; `ValueError` if it is one that cannot be moved."""
        move = getattr(self.clock, "advance", None)
        if move is None:
            raise ValueError("This emulator's clock cannot be moved.")
        move(seconds)

    def simulate_user(self, user_id: str) -> SimulatedUser:
        """Simulate a user in front of the app's chat, who is online, reads, types, writes."""
        return SimulatedUser(self, user_id)

    def next_number(self) -> int:
        """Return a number higher than all before, for the order of arrival."""
        return next(self._numbers)

    def record(self, kind: str, **what: Any) -> None:
        """Add an entry to the commit log."""
        self.commits.append(Commit(number=self.commits.total + 1, kind=kind, **what))

    def admit(self, request: Request) -> RequestContext:
        """Let a request in, or refuse it."""
        with self.lock:
            return admit(self, request)

    def handle(self, context: RequestContext) -> Response:
        """Do the work, or not, and return the answer."""
        with self.lock:
            now = self.clock.time()
            fault = context.fault
            if context.refused is not None:
                response = context.refused
            elif fault is not None and context.never_handled:
                response = fault.spoil(json_response(200, {}), now)
            else:
                response = self._answer(context)
                if fault is not None:
                    response = fault.spoil(response, now)
            if response.cut is None or response.cut == "truncate":
                context.exchange.status = response.status
            response.headers = (*response.headers, (b"date", self._http_date(now)))
            return response

    def dispatch(
        self, app: StoredApp, request: Request, exchange: Exchange, route: Route, ids: list[str]
    ) -> Response:
        """Run one route's function. Used for requests and for the operations of a batch."""
        try:
            body = route.handler(self.context(app, request, exchange), *ids)
        except Problem as problem:
            return problem_response(problem)
        return Response(200, encode(body))

    def context(self, app: StoredApp, request: Request, exchange: Exchange) -> RouteContext:
        """Return what a route's function works with."""
        version = self._version(exchange)
        return RouteContext(self, app, request, exchange, version=version, now=self.clock.time())

    def file(self, path: str) -> Response:
        """Return an uploaded file: `/_emulator/files/<app>/<token>/<name>`."""
        app_id, _, rest = path.removeprefix(FILES).partition("/")
        app = self.apps.get(app_id)
        file = app.files.get(rest.partition("/")[0]) if app else None
        if file is None:
            return problem_response(not_found("file", path))
        return Response(200, file.content, (*_HARMLESS, (b"content-type", file.media_type)))

    def _answer(self, context: RequestContext) -> Response:
        if context.route is None:
            return problem_response(not_implemented(context.request.method, context.exchange.path))
        app = context.app or self.main_app
        return self.dispatch(app, context.request, context.exchange, context.route, context.ids)

    def _version(self, exchange: Exchange) -> str:
        asked = exchange.api_version
        if asked is None:
            return API_VERSIONS[-1]
        if asked in API_VERSIONS:
            return asked
        if self.switches.unknown_version == "reject":
            raise bad_request([f"There is no API version {asked!r}."])
        return API_VERSIONS[-1]

    def _http_date(self, now: float) -> bytes:
        second = int(now)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]
