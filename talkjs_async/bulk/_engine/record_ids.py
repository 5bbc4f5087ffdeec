"""IDs as a source gives them: text, or a whole number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from talkjs_async._core.call import path
from talkjs_async._core.wire import is_id
from talkjs_async.errors import ConfigurationError, shown


def take_id(fields: dict[str, Any], name: str = "id") -> str:
    """
    Take an ID out of the fields. A whole number becomes text, as in TalkJS's own SDKs.

    Raises:
        ConfigurationError: It is missing, or no ID.
    """
    if name not in fields:
        raise ConfigurationError(name, "is missing.")
    return as_id(fields.pop(name), name)


def as_id(value: object, name: str = "id") -> str:
    """Check one ID; see `take_id`."""
    value = written_id(value, name)
    # The one function that knows what a URL may hold.
    path("", **{name: cast("str", value)})
    return cast("str", value)


def in_one_mapping(thing: object) -> object:
    """
    Put the ID of a pair, whose second half is a mapping of fields, into the mapping.

    Anything else is returned as it is.

    Raises:
        ConfigurationError: An ID is among the fields, too.
    """
    # A named tuple says by itself what its second half is.
    if type(thing) is tuple and len(thing) == 2 and isinstance(thing[1], Mapping):
        record_id, fields = thing
        if "id" in fields:
            raise ConfigurationError("id", "is given twice: with the fields, and among them.")
        return {**fields, "id": record_id}
    return thing


def as_record_id(value: object) -> str:
    """
    Check the ID that a source gives to a record; it never becomes part of a URL.

    Raises:
        ConfigurationError: It is neither text nor a whole number, or empty.
    """
    value = written_id(value)
    if not is_id(value):
        raise ConfigurationError("id", f"must be a text or a whole number, not {shown(value)}.")
    return cast("str", value)


def write_ids(fields: dict[str, Any], *names: str) -> None:
    """
    Convert whole numbers to text in other fields that hold an ID or a list of IDs.

    Other values are left as they are: the model checks them.
    """
    for name in names:
        value = fields.get(name)
        if isinstance(value, list | tuple | set | frozenset):
            fields[name] = [written_id(one, name) for one in value]
        elif isinstance(value, int):
            fields[name] = written_id(value, name)


def written_id(value: object, name: str = "id") -> object:
    """Convert a whole number to text; return any other value as it is."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return str(value)
    except ValueError:
        # It has more digits than Python converts.
        raise ConfigurationError(name, "is a number of too many digits for an ID.") from None
