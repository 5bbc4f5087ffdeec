"""Finds the operation that a request asks for, does it, and answers."""

from typing import Any

from talkjs_async.emulator._paths import CONTROL
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import Response, json_response, problem_response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._data_operations import DATA
from talkjs_async.emulator.control._log_operations import LOGS
from talkjs_async.emulator.control._openapi import describe
from talkjs_async.emulator.control._operation import OBJECT, Arguments, Operation, refusal
from talkjs_async.emulator.control._setting_operations import SETTINGS
from talkjs_async.emulator.control._user_operations import USERS
from talkjs_async.emulator.control._webhook_operations import WEBHOOKS

# A website in a browser of this machine cannot send it without being asked first, and is refused.
_HEADER = b"x-emulator"


def _openapi(_: World, __: Arguments) -> Any:
    return describe(OPERATIONS)


OPERATIONS: tuple[Operation, ...] = (
    *SETTINGS,
    *DATA,
    *LOGS,
    *USERS,
    *WEBHOOKS,
    Operation(
        method="GET",
        path="/openapi.json",
        answer=OBJECT,
        summary="Describe this API",
        handler=_openapi,
    ),
)


class Control:
    """Answers everything under `/_emulator/v1/`."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def answer(self, request: Request) -> Response:
        """Answer one request; whether its Host may ask is not decided here."""
        try:
            return json_response(200, await self._do(request))
        except Problem as problem:
            return problem_response(problem)
        except ValueError as error:
            return problem_response(refusal(400, str(error)))

    async def _do(self, request: Request) -> Any:
        path = "/" + request.path.removeprefix(CONTROL)
        operation, in_path = _find(request.method, path)
        if request.method != "GET" and _HEADER not in request.headers:
            raise refusal(403, "A change needs the header X-Emulator: 1.")
        arguments = in_path | operation.arguments(request.query, request.body)
        if operation.wait is not None:
            return await operation.wait(self._world, arguments)
        assert operation.handler is not None  # noqa: S101  # one of both is there
        with self._world.lock:
            answer = operation.handler(self._world, arguments)
            if request.method != "GET":
                self._world.changes += 1
        return answer


def _find(method: str, path: str) -> tuple[Operation, Arguments]:
    there = [(one, found) for one in OPERATIONS if (found := one.match(path)) is not None]
    for operation, arguments in there:
        if operation.method == method:
            return operation, arguments
    if there:
        allowed = ", ".join(one.method for one, _ in there)
        raise refusal(405, f"{path} takes {allowed}, not {method}.")
    raise refusal(404, f"There is no {path} here; see GET {CONTROL}openapi.json.")
