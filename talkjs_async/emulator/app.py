"""
The emulator itself: takes requests in, gives answers out, and keeps the logs.

No I/O and no waiting in here. A request goes through in two steps, because a server may hold it in
a queue in between: `admit` (fault plans, rate limit, token) and `handle` (the work). Each step is
atomic, under one lock, so that threads may share an emulator. Who drives the two steps waits and
delivers: `transport.py` in process, `asgi.py` over TCP.
"""

import itertools
import math
import random
import threading
from collections.abc import Callable
from email.utils import formatdate
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from talkjs_async.emulator.asgi import AsgiApp
from talkjs_async.emulator.auth import authorize
from talkjs_async.emulator.clock import Clock, VirtualClock
from talkjs_async.emulator.context import Context
from talkjs_async.emulator.faults import Fault, Faults
from talkjs_async.emulator.ids import Ids
from talkjs_async.emulator.journal import Commit, Commits, Exchange, Journal
from talkjs_async.emulator.limits import Budget, Limits
from talkjs_async.emulator.quirks import Quirks
from talkjs_async.emulator.routes import ROUTER
from talkjs_async.emulator.routes.messages import idempotency_keys
from talkjs_async.emulator.routing import Route
from talkjs_async.emulator.server import Server
from talkjs_async.emulator.state import App
from talkjs_async.emulator.wire import (
    JSON_HEADERS,
    Problem,
    Request,
    Response,
    bad_request,
    encode,
    json_response,
)

if TYPE_CHECKING:
    from talkjs_async.emulator.transport import EmulatorTransport

# Source: the documentation's "API changelog". A request without the header uses the latest.
API_VERSIONS = ("2021-01-01", "2021-02-09", "2021-07-30", "2024-01-01")

# Seconds that a request travels to the server, and the answer back.
Latency = Callable[[random.Random], tuple[float, float]]

FAULT_HEADER = b"x-emulator-fault"


@attrs.define(eq=False)
class Visit:
    """One request on its way through the emulator."""

    request: Request
    exchange: Exchange
    app: App | None = None
    route: Route | None = None
    ids: list[str] = attrs.field(factory=list)
    fault: Fault | None = None
    refused: Response | None = None
    """The answer, when the request does not get any further than the door."""
    wait: float = 0.0
    """Seconds that the server holds the request before it does the work."""

    @property
    def never_handled(self) -> bool:
        """Whether the work is not going to be done."""
        fault = self.fault
        return self.refused is not None or (
            fault is not None and not fault.after_commit and fault.what != "latency"
        )


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
        quirks: Switches for undocumented behaviour; may be changed at any time.
        faults: Plans for what goes wrong.
        requests: The journal: what was asked.
        commits: The commit log: what was done.
    """

    def __init__(
        self,
        *,
        app_id: str = "emulator",
        secret_key: str = "sk_test_emulator",  # noqa: S107  # opens nothing
        clock: Clock | None = None,
        limits: Limits | None = None,
        quirks: Quirks | None = None,
        seed: int | str = 0,
        latency: Latency | None = None,
        journal_limit: int | None = None,
    ) -> None:
        """
        Make an empty app.

        Args:
            app_id: Its ID.
            secret_key: Its secret key.
            clock: Where time comes from. None: a new `VirtualClock`.
            limits: None: the documented ones.
            quirks: None: the defaults.
            seed: What all IDs and all chances come from.
            latency: Gives seconds to the server and back, per request. None: no time passes.
                In process only.
            journal_limit: How many requests and changes to remember. None: all of them.
        """
        self.app_id = app_id
        self.secret_key = secret_key
        self.clock: Clock = VirtualClock() if clock is None else clock
        self.quirks = Quirks() if quirks is None else quirks
        self.seed = seed
        self.latency = latency
        self.requests = Journal(journal_limit)
        self.commits = Commits(journal_limit)
        self.lock = threading.RLock()
        self._limits = Limits() if limits is None else limits
        self._date: tuple[int, bytes] = (0, b"")
        self._start()

    def __repr__(self) -> str:
        return f"<Emulator of app {self.app_id!r}, {self.requests.total} requests>"

    def _start(self) -> None:
        self.ids = Ids(self.seed)
        self.random = random.Random(f"emulator:{self.seed}")  # noqa: S311  # repeatable
        self.faults = Faults(seed=self.seed, monotonic=self.clock.monotonic)
        self._numbers = itertools.count(1)
        self.apps: dict[str, App] = {}
        self.add_app(self.app_id, self.secret_key)

    def reset(self) -> None:
        """Forget all data, logs and faults, and fill the budget up. Time goes on."""
        with self.lock:
            self.requests.clear()
            self.commits.clear()
            self._start()

    def add_app(self, app_id: str, secret_key: str) -> App:
        """Add another app, with data and a budget of its own."""
        app = App(id=app_id, secret_keys=[secret_key], budget=Budget(self._limits))
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
    def budget(self) -> Budget:
        """The two token buckets of the app."""
        return self.apps[self.app_id].budget

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

    def next_number(self) -> int:
        """Return a number higher than all before, for the order of arrival."""
        return next(self._numbers)

    def record(self, kind: str, **what: Any) -> None:
        """Add an entry to the commit log."""
        self.commits.append(Commit(number=self.commits.total + 1, kind=kind, **what))

    def admit(self, request: Request) -> Visit:
        """
        Let a request in, or refuse it at the door.

        First come the faults that happen in front of the server, then the rate limit, then the
        token. So a request with a bad token is charged (inferred; the harder one for callers).
        """
        with self.lock:
            now = self.clock.time()
            app_id, path = _split(request.path)
            exchange = Exchange(
                number=self.requests.total + 1,
                at=now,
                method=request.method,
                path=path,
                query=request.query,
                app_id=app_id,
            )
            self.requests.append(exchange)
            visit = Visit(request, exchange)
            try:
                self._identify(visit)
                visit.fault = self._fault(visit, at_the_door=True)
                if visit.fault is None:
                    self._enter(visit, now)
                    if visit.refused is None:
                        visit.fault = self._fault(visit, at_the_door=False)
            except Problem as problem:
                visit.refused = _problem_response(problem)
            if visit.fault is not None:
                exchange.fault = visit.fault.id
                visit.wait += visit.fault.seconds
            if visit.never_handled and exchange.operation == "messages.send":
                self.requests.note_keys(exchange, idempotency_keys(request.body))
            return visit

    def handle(self, visit: Visit) -> Response:
        """Do the work, or not, and return the answer."""
        with self.lock:
            now = self.clock.time()
            fault = visit.fault
            if visit.refused is not None:
                response = visit.refused
            elif fault is not None and visit.never_handled:
                response = fault.spoil(json_response(200, {}), now)
            else:
                response = self._answer(visit)
                if fault is not None:
                    response = fault.spoil(response, now)
            if response.cut is None or response.cut == "truncate":
                visit.exchange.status = response.status
            response.headers = (*response.headers, (b"date", self._http_date(now)))
            return response

    def dispatch(
        self, app: App, request: Request, exchange: Exchange, route: Route, ids: list[str]
    ) -> Response:
        """Run one route's function. Used for requests and for the operations of a batch."""
        try:
            version = self._version(exchange)
            now = self.clock.time()
            context = Context(self, app, request, exchange, version=version, now=now)
            body = route.handler(context, *ids)
        except Problem as problem:
            return _problem_response(problem)
        return body if isinstance(body, Response) else Response(200, encode(body))

    def _identify(self, visit: Visit) -> None:
        exchange, request = visit.exchange, visit.request
        version = request.headers.get(b"talkjs-rest-version")
        if version is not None:
            exchange.api_version = version.decode("latin-1")
        found = ROUTER.find(request.method, exchange.path)
        if found is not None:
            visit.route, visit.ids = found
            exchange.operation = visit.route.name

    def _enter(self, visit: Visit, now: float) -> None:
        exchange, request = visit.exchange, visit.request
        app = visit.app = self.apps.get(exchange.app_id)
        if app is None:
            raise Problem(401, "UNAUTHORIZED", [f"There is no app {exchange.app_id!r} here."])
        visit.refused = self._charge(visit, app, now)
        if visit.refused is not None:
            return
        authorize(
            request.headers.get(b"authorization"),
            app_id=app.id,
            secret_keys=app.secret_keys,
            quirks=self.quirks,
            now=now,
            user_tokens=visit.route is not None and visit.route.user_tokens,
        )

    def _charge(self, visit: Visit, app: App, now: float) -> Response | None:
        """Take a token, or return the 429. The visit may have to wait for its token."""
        limits = self._limits
        if not limits.enabled:
            return None
        monotonic = self.clock.monotonic()
        is_batch = visit.exchange.operation == "batch.run"
        bucket = app.budget.batch if is_batch else app.budget.ordinary
        wait = bucket.take(monotonic)
        if wait is not None:
            visit.wait = wait
            return None
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if limits.retry_after is not None:
            seconds = math.ceil(bucket.time_until_token(monotonic))
            value = str(seconds)
            if limits.retry_after == "date":
                value = formatdate(math.ceil(now) + seconds, usegmt=True)
            headers = ((b"retry-after", value.encode()),)
        return too_many_requests(self.quirks, headers)

    def _answer(self, visit: Visit) -> Response:
        if visit.route is None or visit.app is None:
            return _problem_response(not_implemented(visit.request.method, visit.exchange.path))
        return self.dispatch(visit.app, visit.request, visit.exchange, visit.route, visit.ids)

    def _version(self, exchange: Exchange) -> str:
        asked = exchange.api_version
        if asked is None:
            return API_VERSIONS[-1]
        if asked in API_VERSIONS:
            return asked
        if self.quirks.unknown_version == "reject":
            raise bad_request([f"There is no API version {asked!r}."])
        return API_VERSIONS[-1]

    def _fault(self, visit: Visit, *, at_the_door: bool) -> Fault | None:
        wanted = visit.request.headers.get(FAULT_HEADER)
        if wanted is not None:
            try:
                fault = Fault.parse(wanted.decode("latin-1"))
            except ValueError:
                return None
            return fault if fault.at_the_door is at_the_door else None
        return self.faults.pick(visit.request.method, visit.exchange.path, at_the_door=at_the_door)

    def _http_date(self, now: float) -> bytes:
        second = int(now)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]


def not_implemented(method: str, path: str) -> Problem:
    """Return the answer for what the emulator does not have: never a silent 404."""
    reason = f"The emulator has no {method} {path}. That says nothing about TalkJS."
    return Problem(501, "NOT_IMPLEMENTED_BY_EMULATOR", [reason])


def too_many_requests(quirks: Quirks, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """Return the 429. Only its status is documented."""
    if quirks.rate_limit_body == "json":
        response = _problem_response(Problem(429, "TOO_MANY_REQUESTS", ["Too many requests."]))
    elif quirks.rate_limit_body == "text":
        response = Response(429, b"Too many requests", ((b"content-type", b"text/plain"),))
    else:
        response = Response(429, b"", ())
    response.headers = (*response.headers, *headers)
    return response


def _split(path: str) -> tuple[str, str]:
    """Return the app ID and the path relative to it."""
    prefix, _, rest = path.removeprefix("/").partition("/")
    if prefix != "v1":
        return "", path
    app_id, _, rest = rest.partition("/")
    return app_id, f"/{rest}"


def _problem_response(problem: Problem) -> Response:
    response = json_response(problem.status, problem.body)
    response.headers = (*JSON_HEADERS, *problem.headers)
    return response
