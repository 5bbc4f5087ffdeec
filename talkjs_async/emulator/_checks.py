"""
What a body may look like.

A check takes a value and says what is wrong with it, or None. `read` runs a table of them over
an object and turns what they say into the 400.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from talkjs_async.emulator._problems import Problem, bad_request
from talkjs_async.emulator.switches import Switches

Check = Callable[[object], str | None]


def text(value: object) -> str | None:
    """Accept a string."""
    return None if isinstance(value, str) else "must be a string"


def boolean(value: object) -> str | None:
    """Accept true or false."""
    return None if isinstance(value, bool) else "must be true or false"


def moment(value: object) -> str | None:
    """Accept a moment in whole Unix milliseconds."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return None
    return "must be a time in whole milliseconds since 1970"


def nullable(check: Check) -> Check:
    """Accept null, too."""

    def nullable_check(value: object) -> str | None:
        return None if value is None else check(value)

    return nullable_check


def list_of(check: Check) -> Check:
    """Accept a list whose items pass *check*."""

    def list_check(value: object) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        for position, item in enumerate(value):
            if (wrong := check(item)) is not None:
                return f"item {position} {wrong}"
        return None

    return list_check


def map_of(check: Check) -> Check:
    """Accept an object whose values pass *check*."""

    def map_check(value: object) -> str | None:
        if not isinstance(value, dict):
            return "must be an object"
        for key, item in value.items():
            if (wrong := check(item)) is not None:
                return f"key {key!r} {wrong}"
        return None

    return map_check


def one_of(*choices: object) -> Check:
    """Accept one of these values. True is not 1 here."""

    def one_of_check(value: object) -> str | None:
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return None
        return "must be one of " + ", ".join(repr(choice) for choice in choices)

    return one_of_check


# Documented: custom data maps strings to strings. Null for one key removes it (inferred).
custom_data: Check = nullable(map_of(nullable(text)))


def wrong_fields(
    body: object, fields: Mapping[str, Check], switches: Switches, *, required: Collection[str] = ()
) -> dict[str, str]:
    """Return what is wrong with an object: field name to text."""
    if not isinstance(body, dict):
        return {"body": "must be an object"}
    problems: dict[str, str] = {}
    for name, value in body.items():
        check = fields.get(name)
        if check is None:
            if switches.unknown_fields == "reject":
                problems[name] = "is not known here"
        elif (wrong := check(value)) is not None:
            problems[name] = wrong
    for name in required:
        if name not in body:
            problems[name] = "is required"
    return problems


def read(
    body: object, fields: Mapping[str, Check], switches: Switches, *, required: Collection[str] = ()
) -> dict[str, Any]:
    """Return *body*, or raise the 400 that names every wrong field."""
    problems = wrong_fields(body, fields, switches, required=required)
    if problems or not isinstance(body, dict):
        raise wrong_arguments(problems, switches)
    return body


def wrong_arguments(problems: Mapping[str, str], switches: Switches) -> Problem:
    """Return the 400 for *problems*, field name to text."""
    if switches.reasons == "fields":
        return bad_request({name: [wrong] for name, wrong in problems.items()})
    return bad_request([f"{name}: {wrong}." for name, wrong in problems.items()])


def updated_custom(
    old: Mapping[str, str] | None, new: Mapping[str, str | None] | None, switches: Switches
) -> dict[str, str]:
    """Return custom data after an update. None clears all of it."""
    if new is None:
        return {}
    kept = dict(old or {}) if switches.custom_update == "merge" else {}
    for key, value in new.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
    return kept
