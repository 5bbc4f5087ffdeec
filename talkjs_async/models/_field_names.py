"""Names of fields, in Python's and in TalkJS's spelling: a source may use either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from talkjs_async.errors import ConfigurationError


class FieldNames:
    """The names of a record's fields, in Python's and in TalkJS's spelling."""

    def __init__(self, model: type, *others: str, **also: str) -> None:
        """
        Collect the fields of an input model.

        Args:
            model: An attrs class.
            others: Names that the mapping may have besides.
            also: Further spellings of a name.
        """
        names = [field.name for field in attrs.fields(model)] + list(others)
        self.names: tuple[str, ...] = tuple(names)
        self._known: dict[str, str] = {name: name for name in names}
        self._known |= {camel(name): name for name in names}
        self._known |= also

    def of(self, thing: Mapping[Any, Any]) -> dict[str, Any]:
        """
        Return the fields under their Python names.

        Raises:
            ConfigurationError: A name is not a field, or is given in both spellings.
        """
        known = self._known
        fields: dict[str, Any] = {}
        for name, value in thing.items():
            field = known.get(name)
            if field is None:
                meant = self.meant_by(str(name))
                guess = f" (did you mean {meant}?)" if meant else ""
                raise ConfigurationError(
                    str(name), f"is no field{guess}; the fields are {', '.join(self.names)}."
                )
            if field in fields:
                raise ConfigurationError(str(name), f"is given twice, also as {field}.")
            fields[field] = value
        return fields

    def meant_by(self, name: str) -> str | None:
        """Guess the field that an unknown name means, such as "Full name" or "user_id"."""
        plain = {_plain(known): field for known, field in self._known.items()}
        words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
        # As many of its words as are a field: "user id", "email address", "sender id".
        for length in range(len(words), 0, -1):
            for begin in range(len(words) - length + 1):
                field = plain.get(_plain("".join(words[begin : begin + length])))
                if field is not None:
                    return field
        for close in get_close_matches(_plain(name), plain, n=1):
            return plain[close]
        return None

    def field(self, name: str) -> str | None:
        """Return the Python name of a field in either spelling. None: it is no field."""
        return self._known.get(name)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def camel(name: str) -> str:
    """TalkJS's spelling: photo_url -> photoUrl."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
