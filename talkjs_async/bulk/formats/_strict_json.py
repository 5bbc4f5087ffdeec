"""
JSON that says one thing: no key twice in an object, no NaN, no infinity.

Python's own reader takes the last of two equal keys, and numbers that JSON has no words for.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn


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
