"""
Admission: whether a request gets in, decided in front of the work.

In this order: faults that happen before the server sees a request, the path, the app, the rate
limit, the token, all other faults. So a request with a bad token is charged (inferred; the harder
one for callers).
"""

import math
from email.utils import formatdate

from talkjs_async.emulator._auth import authorize
from talkjs_async.emulator._idempotency import keys_in_body
from talkjs_async.emulator._problems import Problem, bad_request, no_such_call
from talkjs_async.emulator._request_context import RequestContext
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import (
    Response,
    no_such_app,
    problem_response,
    too_many_requests,
)
from talkjs_async.emulator._stored_records import StoredApp
from talkjs_async.emulator._world import World
from talkjs_async.emulator.faults import Fault
from talkjs_async.emulator.request_log import Exchange

__all__ = ["admit"]

_FAULT_HEADER = b"x-emulator-fault"

# The one resource that belongs to no app stands where app IDs do.
_ANONYMOUS_ACCOUNTS = "anonymousAccounts"


def admit(world: World, request: Request) -> RequestContext:
    """Let a request in, or refuse it."""
    with world.lock:
        return _admit(world, request)


def _admit(world: World, request: Request) -> RequestContext:
    now = world.clock.time()
    app_id, path = _split(request.path)
    exchange = Exchange(
        number=world.requests.total + 1,
        at=now,
        method=request.method,
        path=path,
        query=request.query,
        app_id=app_id,
    )
    world.requests.append(exchange)
    context = RequestContext(request, exchange)
    try:
        _identify(world, context)
        context.fault = _fault(world, context, before_admission=True)
        if context.fault is None:
            _enter(world, context, context.sender_now(now))
            if context.refused is None:
                context.fault = _fault(world, context, before_admission=False)
    except Problem as problem:
        context.refused = problem_response(problem)
    if context.fault is not None:
        exchange.fault = context.fault.id
        context.wait += context.fault.seconds
    if context.never_handled and exchange.operation == "messages.send":
        world.requests.note_keys(exchange, keys_in_body(request.body))
    return context


def _split(path: str) -> tuple[str, str]:
    """Return the app ID and the path relative to it."""
    prefix, _, rest = path.removeprefix("/").partition("/")
    if prefix != "v1":
        return "", path
    app_id, _, below = rest.partition("/")
    if app_id == _ANONYMOUS_ACCOUNTS:
        return "", f"/{rest}"
    return app_id, f"/{below}"


def _identify(world: World, context: RequestContext) -> None:
    exchange, request = context.exchange, context.request
    version = request.headers.get(b"talkjs-rest-version")
    if version is not None:
        exchange.api_version = version.decode("latin-1")
    found = world.router.find(request.method, exchange.path)
    if found is not None and found[0].open == (not exchange.app_id):
        context.route, context.ids = found
        exchange.operation = context.route.name


def _enter(world: World, context: RequestContext, now: float) -> None:
    exchange, route = context.exchange, context.route
    if route is None and world.switches.unknown_path == "not_found":
        raise no_such_call()
    if route is not None and route.open:
        return
    app = context.app = world.apps.get(exchange.app_id)
    if app is None and world.switches.unknown_app == "not_found":
        context.refused = no_such_app()
        return
    if app is None:
        raise Problem(401, "UNAUTHORIZED", [f"There is no app {exchange.app_id!r} here."])
    context.refused = _charge(world, context, app, now)
    if context.refused is not None:
        return
    authorize(
        context.request.headers.get(b"authorization"),
        app_id=app.id,
        secret_keys=app.secret_keys,
        switches=world.switches,
        now=now,
        user_tokens=route is not None and route.user_tokens,
    )


def _charge(world: World, context: RequestContext, app: StoredApp, now: float) -> Response | None:
    """Take a token, or return the 429. The request may have to wait for its token."""
    limits = world.limits
    if not limits.enabled:
        return None
    monotonic = world.clock.monotonic()
    is_batch = context.exchange.operation == "batch.run"
    bucket = app.budget.batch if is_batch else app.budget.ordinary
    wait = bucket.take(monotonic)
    if wait is not None:
        context.wait = wait
        return None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if limits.retry_after is not None:
        seconds = bucket.time_until_token(monotonic)
        value = str(math.ceil(seconds))
        if limits.retry_after == "date":
            value = formatdate(math.ceil(now + seconds), usegmt=True)
        headers = ((b"retry-after", value.encode()),)
    return too_many_requests(world.switches, headers)


def _fault(world: World, context: RequestContext, *, before_admission: bool) -> Fault | None:
    wanted = context.request.headers.get(_FAULT_HEADER)
    if wanted is not None:
        try:
            fault = Fault.parse(wanted.decode("latin-1"))
        except ValueError as error:
            raise bad_request([str(error)]) from error
        return fault if fault.before_admission is before_admission else None
    exchange = context.exchange
    return world.faults.pick(exchange.method, exchange.path, before_admission=before_admission)
