"""
The work itself: one route's function is run, and its answer made, spoilt if a fault says so.

No I/O and no waiting in here. A request goes through the emulator in two steps, because a server
may hold it in a queue in between: `admission.admit` (fault plans, rate limit, token) and `handle`.
Each step is atomic, under one lock, so that threads may share an emulator. The ways in wait in
between and deliver: `transport.py` in process, `asgi.py` over TCP.
"""

from email.utils import formatdate
from functools import lru_cache

from talkjs_async.emulator._problems import Problem, not_implemented
from talkjs_async.emulator._request_context import RequestContext
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import Response, encode, json_response, problem_response
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Route
from talkjs_async.emulator._stored_records import StoredApp
from talkjs_async.emulator._world import World
from talkjs_async.emulator.request_log import Exchange


def handle(world: World, context: RequestContext) -> Response:
    """Do the work, or not, and return the answer."""
    with world.lock:
        now = context.sender_now(world.clock.time())
        fault = context.fault
        if context.refused is not None:
            response = context.refused
        elif fault is not None and context.never_handled:
            response = fault.spoil(json_response(200, {}), now)
        else:
            response = _answer(world, context)
            if fault is not None:
                response = fault.spoil(response, now)
        if response.cut is None or response.cut == "truncate":
            context.exchange.status = response.status
        # Routes without an app answer with the keys of one, which belong into no log.
        if world.body_limit and context.app is not None:
            context.exchange.body = _beginning(context.request.body, world.body_limit)
            context.exchange.answer = _beginning(response.body, world.body_limit)
        response.headers = (*response.headers, (b"date", _http_date(int(now))))
        if world.on_answer is not None:
            world.on_answer(context.exchange)
        return response


def run_route(
    world: World,
    app: StoredApp,
    request: Request,
    exchange: Exchange,
    route: Route,
    ids: list[str],
    *,
    now: float | None = None,
) -> Response:
    """
    Run one route's function. Used for requests, for the operations of a batch, and for seeds.

    Args:
        world, app: Where.
        request, exchange: What is asked, and its entry in the log.
        route, ids: What answers, and the IDs in the path.
        now: The Unix time at which it happens. None: the emulator's.
    """
    try:
        body = route.handler(RouteContext(world, app, request, exchange, now=now), *ids)
    except Problem as problem:
        return problem_response(problem)
    return Response(200, encode(body))


def _beginning(body: bytes, limit: int) -> str:
    text = body[: limit + 1].decode(errors="replace")
    return f"{text[:limit]}…" if len(text) > limit else text


def _answer(world: World, context: RequestContext) -> Response:
    request, exchange, route = context.request, context.exchange, context.route
    if route is None:
        return problem_response(not_implemented(request.method, exchange.path))
    app = context.app or world.main_app
    # It may have waited while a reset or a snapshot put other data into its app's place.
    app = world.apps.get(app.id, app)
    return run_route(world, app, request, exchange, route, context.ids)


@lru_cache(maxsize=1)
def _http_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
