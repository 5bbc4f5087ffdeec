"""
The `filter` parameter of conversation lists, really evaluated.

`{"custom": {"<key>": condition, ...}}` with all keys required to match. A condition is
`"exists"`, `"!exists"`, `["==", s]`, `["!=", s]`, `["oneOf", [s, ...]]` or `["!oneOf", [s, ...]]`;
the negated ones also match when the key is missing.

`!oneOf` was seen in production code against the REST API. The others are documented for the
JavaScript SDK; that the REST API has them is inferred.
"""

from collections.abc import Callable
from typing import Any

from talkjs_async.emulator._problems import Problem, bad_request
from talkjs_async.emulator._requests import decode
from talkjs_async.emulator._stored_records import StoredConversation

Matches = Callable[[StoredConversation], bool]


def conversation_filter(value: str | None) -> Matches:
    """Return the test that a `filter` parameter stands for, or raise the 400."""
    if value is None:
        return lambda _: True
    try:
        body = decode(value.encode(errors="surrogatepass"))
    except Problem as problem:
        raise _wrong("must be JSON") from problem
    if not isinstance(body, dict) or not set(body) <= {"custom"}:
        raise _wrong("must be an object with the key custom")
    conditions = body.get("custom", {})
    if not isinstance(conditions, dict):
        raise _wrong("custom must be an object")
    tests = {key: _condition(key, condition) for key, condition in conditions.items()}
    return lambda conversation: all(
        test(conversation.custom.get(key)) for key, test in tests.items()
    )


def _condition(key: str, condition: Any) -> Callable[[str | None], bool]:
    match condition:
        case "exists":
            return lambda value: value is not None
        case "!exists":
            return lambda value: value is None
        case ["==", str(operand)]:
            return lambda value: value == operand
        case ["!=", str(operand)]:
            return lambda value: value != operand
        case ["oneOf", [*operands]] if _all_texts(operands):
            return lambda value: value in operands
        case ["!oneOf", [*operands]] if _all_texts(operands):
            return lambda value: value not in operands
    raise _wrong(f"the condition for {key!r} is not one of the known ones")


def _all_texts(operands: list[Any]) -> bool:
    return all(isinstance(operand, str) for operand in operands)


def _wrong(reason: str) -> Problem:
    return bad_request([f"filter: {reason}."])
