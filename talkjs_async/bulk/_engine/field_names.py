"""Names of fields, in Python's and in TalkJS's spelling: a source may use either."""

from __future__ import annotations

from collections.abc import Mapping
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
        self._known = {name: name for name in names}
        self._known |= {camel(name): name for name in names}
        self._known |= also

    def of(self, thing: Mapping[Any, Any]) -> dict[str, Any]:
        """
        Return the fields under their Python names.

        Raises:
            ConfigurationError: There is a name that is none of them, or one in both spellings.
        """
        known = self._known
        fields: dict[str, Any] = {}
        for name, value in thing.items():
            field = known.get(name)
            if field is None:
                raise ConfigurationError(
                    str(name), f"is no field; the fields are {', '.join(self.names)}."
                )
            if field in fields:
                raise ConfigurationError(str(name), f"is given twice, also as {field}.")
            fields[field] = value
        return fields

    def field(self, name: str) -> str | None:
        """Return the Python name of a field in either spelling. None: it is no field."""
        return self._known.get(name)


def camel(name: str) -> str:
    """TalkJS's spelling: photo_url -> photoUrl."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
