"""What an operation of the control API is, and how its arguments are checked."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._requests import decode
from talkjs_async.emulator._world import World

Arguments = dict[str, Any]
Handler = Callable[[World, Arguments], Any]
Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


_LARGEST = 1 << 53
"""Whole numbers beyond it are not exact in most languages, and too large for clocks."""


@attrs.frozen
class Argument:
    """One key of the body, or one query parameter."""

    schema: Schema
    meaning: str
    required: bool = False


@attrs.frozen(kw_only=True)
class Operation:
    """
    One operation of the control API.

    Attributes:
        method, path: As in OpenAPI: `/deliveries/{number}/resend`.
        summary: What it does, a verb phrase.
        answer: What it returns, as JSON Schema.
        body, query: Its arguments. Those in the path are texts.
        open_body: Whether the body may have keys beside those, for what another module checks.
        handler: Does it, while the emulator stands still.
        wait: Instead of *handler*: does it while the emulator goes on.
    """

    method: str
    path: str
    summary: str
    answer: Schema
    body: Mapping[str, Argument] = attrs.field(factory=dict)
    query: Mapping[str, Argument] = attrs.field(factory=dict)
    open_body: bool = False
    handler: Handler | None = None
    wait: Callable[[World, Arguments], Awaitable[Any]] | None = None

    @property
    def placeholders(self) -> list[str]:
        """Return the names in the path."""
        return re.findall(r"\{(\w+)\}", self.path)

    def match(self, path: str) -> Arguments | None:
        """Return what a percent-encoded path gives for the placeholders, None if it is another."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        arguments: Arguments = {}
        for want, have in zip(wanted, given, strict=True):
            if want.startswith("{"):
                arguments[want[1:-1]] = unquote(have)
            elif want != have:
                return None
        return arguments

    def arguments(self, query: str, body: bytes) -> Arguments:
        """Read and check what was given; raise the 400 that names what is wrong."""
        found = _from_query(self.query, query)
        if body:
            data = decode(body)
            if not isinstance(data, dict):
                raise refusal(400, "The body must be a JSON object.")
            found |= data
        problems = [] if self.open_body else _unknown(found, {**self.body, **self.query})
        for name, argument in {**self.body, **self.query}.items():
            if name not in found:
                problems += [f"{name} is required: {argument.meaning}"] if argument.required else []
            elif wrong := _wrong(found[name], argument.schema):
                problems.append(f"{name} {wrong}, not {found[name]!r}.")
        if problems:
            raise refusal(400, *problems)
        return found


def refusal(status: int, *reasons: str) -> Problem:
    """Return the answer to what the emulator will not do."""
    return Problem(status, "REFUSED_BY_EMULATOR", list(reasons))


def _from_query(known: Mapping[str, Argument], query: str) -> Arguments:
    found: Arguments = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        kind = known[name].schema.get("type") if name in known else "string"
        value: Any = text
        if kind in ("integer", "number", "boolean"):
            try:
                value = json.loads(text)
            except ValueError:
                value = text
        found[name] = value
    return found


def _unknown(found: Arguments, known: Mapping[str, Argument]) -> list[str]:
    there_are = ", ".join(known) or "none"
    return [
        f"There is no argument {name!r} here; there are: {there_are}."
        for name in found
        if name not in known
    ]


def _wrong(value: Any, schema: Schema) -> str | None:
    """Return the rule that a value breaks, if it does."""
    kinds = schema.get("type", list(_TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    allowed = tuple(kind for name in kinds for kind in _TYPES[name])
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        return f"must be {' or '.join(kinds)}"
    if isinstance(value, int) and abs(value) > _LARGEST:
        return f"must be from -{_LARGEST} to {_LARGEST}"
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {schema['enum']}"
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        return f"must be at least {schema['minimum']}"
    if "items" in schema and isinstance(value, list):
        return next(
            (f"must hold only what {w}" for one in value if (w := _wrong(one, schema["items"]))),
            None,
        )
    return None
