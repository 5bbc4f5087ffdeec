"""The control API's own description, made of the table of its operations."""

from collections.abc import Iterable
from typing import Any

from talkjs_async.emulator.control._answer_schemas import components
from talkjs_async.emulator.control._operation import Argument, Operation

_REFUSAL = {
    "description": "Refused, with the reasons.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["errorCode", "reasons"],
                "properties": {"errorCode": {"type": "string"}, "reasons": {}},
            }
        }
    },
}
_HEADER = {
    "name": "X-Emulator",
    "in": "header",
    "required": True,
    "description": "Any value; it proves that no foreign website asks.",
    "schema": {"type": "string", "examples": ["1"]},
}


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of the control API."""
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of the TalkJS emulator",
            "version": "1",
            "description": "For tests in any language. It is not TalkJS.",
        },
        "servers": [{"url": "/_emulator/v1"}],
        "paths": paths,
        "components": {"schemas": components()},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    parameters: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in operation.placeholders
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": argument.required,
            "description": argument.meaning,
            "schema": dict(argument.schema),
        }
        for name, argument in operation.query.items()
    ]
    if operation.method != "GET":
        parameters.append(_HEADER)
    described: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": operation.answer}},
            },
            "4XX": _REFUSAL,
        },
    }
    if operation.body or operation.open_body:
        described["requestBody"] = {
            "required": any(argument.required for argument in operation.body.values()),
            "content": {"application/json": {"schema": _body(operation)}},
        }
    return described


def _body(operation: Operation) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(one) for name, one in operation.body.items()},
    }
    required = [name for name, argument in operation.body.items() if argument.required]
    if required:
        schema["required"] = required
    if not operation.open_body:
        schema["additionalProperties"] = False
    return schema


def _property(argument: Argument) -> dict[str, Any]:
    return {**argument.schema, "description": argument.meaning}


def _name(operation: Operation) -> str:
    words = [word.strip("{}") for word in operation.path.replace("-", "/").split("/") if word]
    named = "_".join(word.partition(".")[0] for word in words) or "info"
    return f"{operation.method.lower()}_{named}"
