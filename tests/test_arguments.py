"""
One law for every parameter of every public callable: a value that cannot be right is refused.

Whatever is passed, what comes is a result or a ConfigurationError that names the argument, and
never another exception; a value that the parameter's annotation rules out is always refused; and
nothing is sent.
"""

from __future__ import annotations

import collections.abc
import inspect
import math
import os
import ssl
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Union

import attrs
import httpx
import httpx2
import pytest

import talkjs_async
from talkjs_async import (
    UNSET,
    AnonymousProjects,
    AppTokenAuth,
    AsyncTalkJS,
    ConfigurationError,
    Filter,
    Location,
    RetryPolicy,
    SecretKeyAuth,
    TokenBucket,
    call_of,
    escape_markup,
    one_on_one_id,
)
from talkjs_async._core.endpoint import Resource
from talkjs_async._core.pages import Records
from talkjs_async.identity import Tokens
from talkjs_async.models._declare import Input
from tests.core.list_server import ListServer, listing

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the mistake under test


class Hostile:
    """An object that answers nothing about itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no eq")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no bool")


VALUES: list[Any] = [
    *[None, True, False, 0, -1, 7, 30, 10**12, 10**400, 2.5, math.nan, math.inf],
    *["", "x", " ", "..", "\ud83d", "a\0b", "DESC", "desc", "x" * 70_000, b"", b"x"],
    *[(), [1], ["x"], [None], [""], {}, {"a": 1}, {"a": "b"}, {"a": None}, {1: "a"}, {"": {}}],
    # More digits than Python shows, texts that would fill a log, objects that cannot be asked.
    *[
        10**5_000,
        -(10**5_000),
        ["x" * 70_000],
        {"x" * 70_000: 1},
        Hostile(),
        [Hostile()],
        {"a": Hostile()},
    ],
    *[UNSET, NotImplemented],
    *[NAIVE, datetime(2026, 1, 1, tzinfo=UTC), object(), len, int, ..., 1j, [[]], iter([])],
]
# What annotations name and modules import for type checkers only.
KNOWN: dict[str, Any] = {
    **vars(typing),
    **vars(collections.abc),
    "httpx": httpx,
    "httpx2": httpx2,
    "ssl": ssl,
    "os": os,
    "datetime": datetime,
}


def ruled_out(value: object, hint: Any) -> bool:  # noqa: PLR0911 - one for each kind of hint
    """Whether *hint* says that *value* cannot be right. Where it is not clear: no."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {Union, types.UnionType}:
        return all(ruled_out(value, each) for each in arguments)
    if origin is Literal:
        return not any(type(value) is type(each) and value == each for each in arguments)
    if hint in {None, type(None)}:
        return value is not None
    if hint is bool:
        return not isinstance(value, bool)
    if hint in {int, float}:
        kinds = int if hint is int else (int, float)
        return isinstance(value, bool) or not isinstance(value, kinds)
    if hint is datetime:
        return not isinstance(value, datetime) or value.tzinfo is None
    kind = origin or hint
    if hint is Any or not inspect.isclass(kind) or getattr(kind, "_is_protocol", False):
        return False
    if issubclass(kind, Mapping):
        if not isinstance(value, Mapping):
            return True
        return len(arguments) == 2 and any(
            ruled_out(key, arguments[0]) or ruled_out(item, arguments[1])
            for key, item in value.items()
        )
    if issubclass(kind, Iterable) and kind not in {str, bytes} and arguments:
        if not isinstance(value, kind) or isinstance(value, str | bytes | Mapping):
            return True
        return not isinstance(value, Iterator) and any(
            ruled_out(item, arguments[0]) for item in value
        )
    return not isinstance(value, kind)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    # attrs writes the converter's annotations into __init__; the class has the fields' own.
    inner = function if attrs.has(function) else inspect.unwrap(function)  # type: ignore[arg-type]
    public = {name: getattr(talkjs_async, name) for name in talkjs_async.__all__}
    there = {**KNOWN, **public, **vars(sys.modules[function.__module__])}
    return typing.get_type_hints(inner, localns=there)


@attrs.frozen
class Case:
    """A callable, the arguments with which it works, and the one under test."""

    name: str
    call: Callable[..., Any]
    hints: dict[str, Any]
    works_with: dict[str, Any]
    parameter: str
    default: Any


WORKS_WITH: dict[str, dict[str, Any]] = {
    "users.upsert_many": {"users": {"a": {"name": "A"}}},
    "messages.send": {"text": "hi"},
    "messages.send_system": {"text": "hi"},
    "messages.send_many": {"messages": [{"sender": "a", "text": "hi"}]},
    "messages.import_many": {
        "messages": [{"sender": "a", "text": "hi", "sent_at": datetime(2020, 1, 1, tzinfo=UTC)}]
    },
    "files.upload": {"file": b"x", "filename": "a.txt"},
    "notifications.send": {"channels": ["email"]},
    "participants.update": {"access": "Read"},
    "themes.update": {"themes": {"blue": None}},
    "reactions.add": {"emoji": "🎉"},
    "reactions.remove": {"emoji": "🎉"},
    "reactions.list": {"emoji": "🎉"},
    "app.update": {"default_locale": "en"},
    "messages.edit": {"text": "new"},
    "UserMessage": {"sender": "a", "text": "hi"},
    "SystemMessage": {"text": "hi"},
    "ImportedSystemMessage": {"sent_at": datetime(2020, 1, 1, tzinfo=UTC)},
    "ImportedMessage": {
        "sender": "a",
        "text": "hi",
        "sent_at": datetime(2020, 1, 1, tzinfo=UTC),
    },
    "SmsSettings": {"sms_template": "x"},
}


def _parameters(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    for parameter in inspect.signature(function).parameters.values():
        named = parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        # `extra` is for keys that this library does not know: whatever they are.
        if named and parameter.name != "extra":
            yield parameter


def _cases(name: str, call: Callable[..., Any], hints: dict[str, Any], of: Any) -> Iterator[Case]:
    needed = {p.name: "x" for p in _parameters(of) if p.default is p.empty}
    works_with = {**needed, **WORKS_WITH.get(name, {})}
    for parameter in _parameters(of):
        yield Case(name, call, hints, works_with, parameter.name, parameter.default)


def cases() -> Iterator[Case]:
    talkjs = AsyncTalkJS("app", "sk_test_law")
    for noun in dir(AsyncTalkJS):
        resource = getattr(talkjs, noun) if not noun.startswith("_") else None
        if not isinstance(resource, Resource):
            continue
        for verb in dir(resource):
            method = getattr(resource, verb)
            if hasattr(method, "__build__"):
                build = method.__build__

                def make(method: Any = method, /, **arguments: Any) -> object:
                    return call_of(method, **arguments)

                yield from _cases(f"{noun}.{verb}", make, hints_of(build), method)
    projects = AnonymousProjects()
    yield from _cases(
        "anonymous.get",
        lambda **arguments: call_of(projects.get, **arguments),
        hints_of(type(projects).get),
        projects.get,
    )
    for name in talkjs_async.__all__:
        model = getattr(talkjs_async, name)
        if inspect.isclass(model) and issubclass(model, Input):
            yield from _cases(name, model, hints_of(model), model)
    credentials = {"app_id": "app", "secret_key": "sk_test_law"}

    def client(**options: Any) -> object:
        return AsyncTalkJS(**{**credentials, **options})

    yield from _cases("AsyncTalkJS", client, hints_of(AsyncTalkJS.__init__), AsyncTalkJS)
    yield from _cases(
        "AnonymousProjects",
        AnonymousProjects,
        hints_of(AnonymousProjects.__init__),
        AnonymousProjects,
    )
    tokens = Tokens("app", "sk_test_law")
    simple: list[Any] = [
        *[talkjs.with_options, tokens.user, tokens.app, tokens.signature],
        *[one_on_one_id, escape_markup, Filter.equals, Filter.one_of],
    ]
    for function in simple:
        yield from _cases(function.__name__, function, hints_of(function), function)
    kinds: list[Any] = [RetryPolicy, TokenBucket, AppTokenAuth, SecretKeyAuth]
    for kind in kinds:
        hints = hints_of(kind if attrs.has(kind) else kind.__init__)
        yield from _cases(kind.__name__, kind, hints, kind)
    # It also takes a plain text, which its converter makes a condition of.
    yield from _cases("Filter", Filter, {}, Filter)


CASES = list(cases())
MOST_TO_READ = 500
"""Characters of an error."""


def shown_value(value: object) -> str:
    try:
        return repr(value)[:60]
    except (RuntimeError, ValueError):
        return type(value).__name__


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}-{case.parameter}" for case in CASES])
def test_a_value_that_cannot_be_right_is_refused_with_the_name_of_the_argument(case: Case) -> None:
    hint = case.hints.get(case.parameter, Any)
    wrong: list[str] = []
    for value in VALUES:
        # UNSET is not given, wherever it stands.
        is_wrong = value is not UNSET and ruled_out(value, hint)
        shown = shown_value(value)
        try:
            case.call(**{**case.works_with, case.parameter: value})
        except ConfigurationError as error:
            if len(str(error)) > MOST_TO_READ:
                wrong.append(f"{shown}: {len(str(error))} characters of error")
            # An argument that is right by itself may miss, or exclude, another one.
            if is_wrong and not error.argument.startswith(case.parameter):
                wrong.append(f"{shown}: blames {error.argument}")
        except Exception as error:  # noqa: BLE001 - that none comes is what is tested
            wrong.append(f"{shown}: {type(error).__name__}: {error}"[:200])
        else:
            if is_wrong:
                wrong.append(f"{shown}: taken, though the annotation is {hint}")

    assert [] == wrong


def test_the_law_covers_every_endpoint() -> None:
    covered = {case.name for case in CASES}

    assert len(covered) > 50
    assert {"users.upsert", "messages.list", "files.upload", "AsyncTalkJS"} <= covered


@pytest.mark.anyio
async def test_a_number_of_items_to_collect_is_checked() -> None:
    server = ListServer([("a", 1)])
    records = Records(listing(), server.run)
    for value in VALUES:
        if value is not None and (ruled_out(value, int) or value < 1):
            with pytest.raises(ConfigurationError, match="max_items"):
                await records.collect(max_items=value)
    assert [] == server.asked


def test_a_place_is_on_earth() -> None:
    with pytest.raises(ConfigurationError):
        talkjs_async.UserMessage(sender="a", location=Location(latitude=91, longitude=0))


CLEARS = {
    *["upsert", "edit", "update", "mark_as_read", "mark_as_unread"],
    *["with_options", "UserInput", "ConversationInput"],
}
"""Where None says something else than nothing: it clears the field, or takes an option away."""


def outcome(case: Case, arguments: dict[str, Any]) -> object:
    try:
        return case.call(**arguments)
    except ConfigurationError as error:
        return str(error)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}-{case.parameter}" for case in CASES])
def test_none_means_not_given_where_nothing_can_be_cleared(case: Case) -> None:
    if case.default is not UNSET or case.name.rpartition(".")[2] in CLEARS:
        return
    if (case.name, case.parameter) == ("presences.query", "selected_conversation_id"):
        # "At none" is a place to look at, too.
        return
    without = {k: v for k, v in case.works_with.items() if k != case.parameter}

    assert outcome(case, without) == outcome(case, {**without, case.parameter: None})
