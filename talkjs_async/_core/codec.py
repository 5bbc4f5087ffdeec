"""
JSON, in and out, with our errors only.

Answers are read by orjson where it is installed (extra `[speed]`), in less than half of the
time. Requests are small and are written by the standard library, which refuses what orjson would
quietly turn into null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from talkjs_async._core.wire import TOO_DEEP, utf8
from talkjs_async.errors import ConfigurationError, DecodeError

_MOST_TO_CUT: Final = 512 * 1024
"""The largest answer, in bytes, that is cut where it is nested too deep: cutting takes time."""

_SIGNS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]+|[\]}]+|,', re.DOTALL)
"""Strings, since they may hold any of these signs; runs of brackets; and commas."""

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: Any) -> bytes:
    """
    Write *value* as compact UTF-8 JSON.

    Raises:
        ConfigurationError: It holds NaN, an infinity, or something that has no JSON form.
    """
    try:
        return utf8(_encoder.encode(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError("json", f"cannot be sent as JSON: {error}.") from None


def decode(raw: bytes) -> Any:
    """
    Read JSON.

    Raises:
        DecodeError: *raw* is not JSON. It says what came instead, without quoting it.
    """
    try:
        return _loads(raw)
    except (ValueError, RecursionError):
        # Half a surrogate pair, which browsers can send, is an error to orjson only.
        return _decode_by_the_standard_library(raw)


def decode_cut(raw: bytes, levels: int) -> Any:
    """
    Read JSON, leaving out what is nested too deep to be read.

    Args:
        raw: The JSON. Only an array is cut.
        levels: How many arrays deep to cut. What is left out becomes TOO_DEEP.

    Raises:
        DecodeError: As for `decode`, unless only parts are nested too deep.
    """
    try:
        return decode(raw)
    except DecodeError:
        cut = _cut(raw, levels) if len(raw) <= _MOST_TO_CUT else TOO_DEEP
        if cut is TOO_DEEP:
            raise
        return cut


def _cut(raw: bytes, levels: int) -> Any:
    try:
        return _read(raw)
    except ValueError:
        # It is not JSON at all, as the error of `decode` says.
        return TOO_DEEP
    except RecursionError:
        items = _items(raw) if levels else None
        return TOO_DEEP if items is None else [_cut(item, levels - 1) for item in items]


def _items(raw: bytes) -> list[bytes] | None:
    """Cut a JSON array into its items. None: it is not an array."""
    items: list[bytes] = []
    depth, begin = 0, 0
    for found in _SIGNS.finditer(raw):
        sign = found[0][:1]
        if sign in {b"[", b"{"}:
            begin = begin if depth else found.start() + 1
            depth += len(found[0])
        elif sign in {b"]", b"}"}:
            depth -= len(found[0])
            if depth == 0:
                items.append(raw[begin : found.end() - 1])
        elif sign == b"," and depth == 1:
            items.append(raw[begin : found.start()])
            begin = found.end()
    return items if raw.lstrip()[:1] == b"[" and depth == 0 else None


def lenient(raw: bytes) -> Any:
    """Read JSON, where what is no JSON counts as null."""
    try:
        return decode(raw)
    except DecodeError:
        return None


def _fastest_loads() -> Callable[[bytes], Any]:
    try:
        loads: Callable[[bytes], Any] = import_module("orjson").loads
    except ImportError:
        return json.loads
    return loads


_loads = _fastest_loads()


def _decode_by_the_standard_library(raw: bytes) -> Any:
    try:
        return _read(raw)
    except RecursionError:
        got = "JSON that is nested too deep"
    except ValueError:
        got = _describe(raw)
    raise DecodeError(json_path="$", expected="JSON", got=got)


def _read(raw: bytes) -> Any:
    return json.loads(raw, parse_int=_whole_number)


def _whole_number(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:
        # More digits than Python reads: still JSON, and no reason to lose the rest.
        return float(digits)


def _describe(raw: bytes) -> str:
    start = raw.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page"
    return f"{len(raw)} bytes that are not complete JSON"
