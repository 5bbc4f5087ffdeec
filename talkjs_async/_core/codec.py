"""
JSON, in and out, with our errors only.

Answers are read by orjson where it is installed (extra `[speed]`), in less than half of the
time. Requests are small and are written by the standard library, which refuses what orjson would
quietly turn into null.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from talkjs_async._core.wire import utf8
from talkjs_async.errors import ConfigurationError, DecodeError

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
        DecodeError: *raw* is anything else. It says what came instead, without quoting it.
    """
    try:
        return _loads(raw)
    except (ValueError, RecursionError):
        # Half a surrogate pair, which browsers can send, is an error to orjson only.
        return _decode_by_the_standard_library(raw)


def lenient(raw: bytes) -> Any:
    """Read JSON. None: it is none."""
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
        return json.loads(raw)
    except RecursionError:
        got = "JSON that is nested too deep"
    except ValueError:
        got = _describe(raw)
    raise DecodeError(json_path="$", expected="JSON", got=got)


def _describe(raw: bytes) -> str:
    start = raw.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page"
    return f"{len(raw)} bytes that are not complete JSON"
