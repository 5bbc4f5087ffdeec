"""
The CSV that this library reads: its delimiters, its columns, and what a cell may hold.

The separator is found in the header. A column such as "custom.plan" is a key of a map; lists are
separated by ";" or written as JSON; an empty cell leaves its field out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from talkjs_async.bulk._engine.field_names import FieldNames
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.errors import ConfigurationError

FileRow: TypeAlias = Mapping[str, Any] | BadRecord

_DELIMITERS: Final = ",;\t"
_LISTS: Final = frozenset({"email", "phone", "participants", "read_by", "welcome_messages"})
_MAPS: Final = frozenset({"custom", "push_tokens"})


def delimiter_of(header: str) -> str:
    """Return what separates the columns: the one of the three that the header has most."""
    return max(_DELIMITERS, key=header.count)


def columns_of(
    path: Path, header: list[str], fields: FieldNames, required: tuple[str, ...]
) -> list[Column]:
    """
    Read the header of a file.

    Raises:
        ConfigurationError: A column is unknown, there twice, or missing.
    """
    columns = [Column.of(title.strip(), fields) for title in header]
    names = [column.name for column in columns]
    wrong = [f"{column.title!r} is unknown" for column in columns if not column.field]
    wrong += [f"{name!r} is there twice" for name, n in Counter(names).items() if n > 1]
    wrong += [f"{name!r} is missing" for name in required if name not in names]
    if wrong:
        raise ConfigurationError(
            "source",
            f"{path} has wrong columns: {', '.join(wrong)}. The columns are "
            f"{', '.join(fields.names)} and custom.<key>.",
        )
    return columns


@attrs.frozen
class Column:
    """
    A column of a CSV file.

    Attributes:
        title: As in the header.
        field: The field's name in Python's spelling. Empty: there is no such field.
        key: For a column such as "custom.plan": "plan".
    """

    title: str
    field: str
    key: str | None

    @classmethod
    def of(cls, title: str, fields: FieldNames) -> Column:
        """Read a title."""
        name, dot, key = title.partition(".")
        field = fields.field(name) or ""
        if dot and field not in _MAPS:
            field = ""
        return cls(title, field, key if dot else None)

    @property
    def name(self) -> str:
        """What may be there only once."""
        return self.field if self.key is None else f"{self.field}.{self.key}"

    def put(self, cell: str, row: dict[str, Any]) -> None:
        """
        Put a cell into a row.

        Raises:
            ValueError: It is no list, or no object, of JSON.
        """
        if self.key is not None:
            row.setdefault(self.field, {})[self.key] = cell
        elif self.field in _LISTS:
            row[self.field] = _list(cell)
        elif self.field in _MAPS:
            row[self.field] = {**row.get(self.field, {}), **_json(cell, dict)}
        else:
            row[self.field] = cell


def row_of(columns: list[Column], number: int, cells: list[str]) -> FileRow:
    """Read the cells of a line. A bad cell, or a wrong number of them, makes a `BadRecord`."""
    row: dict[str, Any] = {}
    problem = None
    if len(cells) != len(columns):
        problem = f"has {len(cells)} cells, and the header has {len(columns)}"
    for column, cell in zip(columns, cells, strict=False):
        if not cell:
            continue
        try:
            column.put(cell, row)
        except ValueError as error:
            problem = problem or f"has a bad {column.title}: {error}"
    if problem is not None:
        return BadRecord(reason=f"line {number} {problem}.", id=row.get("id"))
    return row


def _list(cell: str) -> list[str]:
    if cell.startswith("["):
        items: list[str] = _json(cell, list)
        return items
    return [item.strip() for item in cell.split(";") if item.strip()]


def _json(cell: str, kind: type) -> Any:
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise ValueError(f"{cell[:40]!r} is no JSON {'list' if kind is list else 'object'}")  # noqa: TRY004
    return value
