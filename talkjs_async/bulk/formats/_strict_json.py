"""
JSON that says one thing: no key twice in an object, no NaN, no infinity.

Python's own reader takes the last of two equal keys, and numbers that JSON has no words for.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn


class AmbiguousJSON(ValueError):
    """What is wrong, as the end of a sentence about the text."""


def loads(text: str | bytes) -> Any:
    """
    Read JSON.

    Raises:
        AmbiguousJSON: It is anything else, or says two things.
    """
    try:
        return DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise AmbiguousJSON("is nested too deep") from None
    except AmbiguousJSON:
        raise
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise AmbiguousJSON("is not JSON") from None
    except ValueError:
        raise AmbiguousJSON("has a number of more digits than can be read") from None


def is_open(text: str) -> bool:
    """Whether a text, which may be no JSON, ends within a string, an object or an array."""
    depth = 0
    for mark in MARKS.finditer(text):
        if mark[1] == "":
            return True
        depth += DEPTH.get(mark[0], 0)
    return depth > 0


MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*("?)|[{}\[\]]', re.DOTALL)
"""Strings, which may hold brackets that mean nothing and may be cut off, and brackets."""
DEPTH: Final = {"{": 1, "[": 1, "}": -1, "]": -1}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise AmbiguousJSON(f"has {twice!r} twice")
    return found


def _refuse(name: str) -> NoReturn:
    raise AmbiguousJSON(f"has {name}, which is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)
"""For texts that have more than one value."""
