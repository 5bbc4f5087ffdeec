"""
Many operations in one request. Source: the REST API page "Batch" of TalkJS's documentation.

Documented: up to 10 operations `[number, method, path, payload?, options?]`, which may run in any
order, and `[number, status, answer]` for each. The emulator takes that at its word: it shuffles the
order of the work, and once more that of the answers.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import attrs

from talkjs_async.emulator._dispatch import run_route
from talkjs_async.emulator._problems import Problem, bad_request, no_such_call
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import (
    Response,
    json_response,
    problem_response,
    too_many_requests,
)
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Route, Routes
from talkjs_async.emulator.request_log import Exchange

__all__ = ["routes"]

routes: Routes = Routes()

_MAX_OPERATIONS = 10

# A batch in a batch and a multipart body cannot be operations (inferred).
_NOT_IN_A_BATCH = ("batch.run", "files.upload")

_JSON: Mapping[bytes, bytes] = {b"content-type": b"application/json"}


@attrs.frozen(kw_only=True)
class _BatchOperation:
    number: float
    method: str
    path: str
    payload: Any
    api_version: str | None


@routes.add("batch.run", "POST", "/batch", mark="documented", source="Batch")
def run(context: RouteContext) -> Any:
    """Run up to 10 operations, each with its own status. The whole is a 200 (inferred)."""
    body = context.json()
    if not isinstance(body, list) or len(body) > _MAX_OPERATIONS:
        raise bad_request([f"The body must be a list of up to {_MAX_OPERATIONS} operations."])
    operations = [_read(position, entry) for position, entry in enumerate(body)]
    chance = context.world.random
    chance.shuffle(operations)
    exchanges = []
    answers = []
    for operation in operations:
        exchange, response = _run_one(context, operation)
        exchanges.append(exchange)
        answers.append([operation.number, response.status, _decoded(response)])
    context.exchange.operations = tuple(exchanges)
    chance.shuffle(answers)
    return answers


def _read(position: int, entry: Any) -> _BatchOperation:
    match entry:
        case [int() | float() as number, str(method), str(path), *rest] if len(rest) <= 2:
            payload = rest[0] if rest else None
            options = rest[1] if len(rest) == 2 else None
            if isinstance(number, bool) or not path.startswith("/"):
                raise _wrong(position)
            if options is not None and not isinstance(options, dict):
                raise _wrong(position)
            api_version = (options or {}).get("api_version")
            if api_version is not None and not isinstance(api_version, str):
                raise _wrong(position)
            return _BatchOperation(
                number=number,
                method=method.upper(),
                path=path,
                payload=payload,
                api_version=api_version,
            )
    raise _wrong(position)


def _wrong(position: int) -> Problem:
    rule = "must be [number, method, '/path', payload, {'api_version': ...}], the last two optional"
    return bad_request([f"{position}: {rule}."])


def _run_one(context: RouteContext, operation: _BatchOperation) -> tuple[Exchange, Response]:
    world = context.world
    path, _, query = operation.path.partition("?")
    exchange = Exchange(
        number=context.exchange.number,
        at=context.now,
        method=operation.method,
        path=path,
        query=query,
        app_id=context.app.id,
        api_version=operation.api_version or context.exchange.api_version,
    )
    fault = world.faults.pick_in_batch(operation.method, path)
    exchange.fault = fault.id if fault else None
    if fault is not None and not fault.after_commit:
        response = fault.spoil(json_response(200, {}), context.now)
    else:
        response = _answer(context, operation, exchange)
        if fault is not None:
            response = fault.spoil(response, context.now)
    exchange.status = response.status
    return exchange, response


def _answer(context: RouteContext, operation: _BatchOperation, exchange: Exchange) -> Response:
    world = context.world
    if world.switches.batch_charges == "each" and not _charged(context):
        return too_many_requests(world.switches)
    try:
        route, ids = _find(context, operation.method, exchange.path)
        exchange.operation = route.name
        request = _request(context, operation, exchange)
    except Problem as problem:
        return problem_response(problem)
    return run_route(world, context.app, request, exchange, route, ids)


def _charged(context: RouteContext) -> bool:
    world = context.world
    if not world.limits.enabled:
        return True
    return context.app.budget.ordinary.take(world.clock.monotonic()) is not None


def _request(context: RouteContext, operation: _BatchOperation, exchange: Exchange) -> Request:
    payload, query = operation.payload, exchange.query
    body = b""
    if operation.method == "GET":
        # Documented: the query parameters of a GET are its payload, text to text.
        if payload is not None:
            if not isinstance(payload, dict) or not all(
                isinstance(value, str) for value in payload.values()
            ):
                raise bad_request(["The payload of a GET must be an object of text to text."])
            query = exchange.query = "&".join(part for part in (query, urlencode(payload)) if part)
    elif payload is not None:
        body = json.dumps(payload).encode()
    return Request(
        operation.method, exchange.path, query, _JSON, body, origin=context.request.origin
    )


def _find(context: RouteContext, method: str, path: str) -> tuple[Route, list[str]]:
    found = context.world.router.find(method, path)
    if found is None or found[0].open:
        # Documented: an unknown path gets a 404 of its own.
        raise no_such_call()
    if found[0].name in _NOT_IN_A_BATCH:
        raise bad_request([f"{found[0].name} cannot be part of a batch."])
    return found


def _decoded(response: Response) -> Any:
    """Return what stands for an answer inside of the batch's own JSON."""
    try:
        return json.loads(response.body)
    except ValueError:
        return response.body.decode() or None
