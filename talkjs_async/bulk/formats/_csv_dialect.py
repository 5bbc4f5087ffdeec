"""
The CSV that this library reads: its columns, and what a cell may hold.

A column such as "custom.plan" is a key of a map; lists are separated by ";" or written as JSON; an
empty cell leaves its field out. A column without a title means nothing, and neither does a row of
empty cells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from talkjs_async.bulk._engine.source_records import BadRecord, FileRow
from talkjs_async.bulk.formats._strict_json import loads
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models._given_times import as_moment

_LISTS: Final = frozenset({"email", "phone", "participants", "read_by", "welcome_messages"})
_MAPS: Final = frozenset({"custom", "push_tokens"})
_IDS: Final = frozenset({"id", "conversation_id", "sender"})
_WHITE_SPACE: Final = re.compile(r"\s")
_NULL: Final = "\\N"
"""What MySQL and PostgreSQL write for a cell without a value."""


def columns_of(
    path: Path, header: list[str], fields: FieldNames, required: tuple[str, ...]
) -> Columns:
    """
    Read the header of a file.

    Raises:
        ConfigurationError: A column is unknown, there twice, or missing.
    """
    columns = [Column.of(title.strip(), fields) if title.strip() else None for title in header]
    titled = [column for column in columns if column is not None]
    names = [column.name for column in titled]
    wrong = [column.complaint(fields) for column in titled if not column.field]
    wrong += [f"{name!r} is there twice" for name, n in Counter(names).items() if name and n > 1]
    wrong += [f"{name!r} is missing" for name in required if name not in names]
    if wrong:
        raise ConfigurationError(
            "source",
            f"{path} has wrong columns: {', '.join(wrong)}. The columns are "
            f"{', '.join(fields.names)} and custom.<key>.",
        )
    return Columns(columns, fields, required)


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
        if dot and (field not in _MAPS or not key):
            field = ""
        return cls(title, field, key if dot else None)

    @property
    def name(self) -> str:
        """What may be there only once. Empty: an unknown column."""
        return self.field if self.key is None or not self.field else f"{self.field}.{self.key}"

    def complaint(self, fields: FieldNames) -> str:
        """Say that there is no such field, and which one may be meant."""
        meant = fields.meant_by(self.title)
        return f"{self.title!r} is unknown" + (f" (did you mean {meant}?)" if meant else "")

    def put(self, cell: str, row: dict[str, Any]) -> None:
        """
        Put a cell into a row.

        Raises:
            ValueError: It is no list, or no object, of JSON, or has a key that is there already.
        """
        if cell == _NULL:
            raise ValueError(f"{_NULL} stands for no value in some databases: leave the cell empty")
        if self.key is not None:
            self._merge({self.key: cell}, row)
        elif self.field in _LISTS:
            # One of blanks says nothing, as an empty cell does; [] says that there are none.
            if cell.replace(";", "").strip():
                row[self.field] = _list(cell)
        elif self.field in _MAPS:
            self._merge(_json(cell, dict), row)
        else:
            row[self.field] = cell

    def _merge(self, more: dict[str, Any], row: dict[str, Any]) -> None:
        values = row.setdefault(self.field, {})
        for key, value in more.items():
            if key in values:
                raise ValueError(f"the key {key!r} is given twice")
            values[key] = value


class Columns:
    """The columns of a file, None for each without a title."""

    def __init__(
        self, columns: Sequence[Column | None], fields: FieldNames, required: tuple[str, ...]
    ) -> None:
        self._columns = columns
        self._fields = fields
        self._required = required
        self.count = len(columns)
        named = [column.field if column and column.key is None else "" for column in columns]
        self._ids = [n for n, field in enumerate(named) if field in _IDS]
        self._id_comes_first = named[:1] == ["id"]
        self._times = [n for n, field in enumerate(named) if field == "sent_at"]

    def row_of(self, line: int, cells: list[str]) -> FileRow | BadRecord:
        """Read the cells of a record. A bad cell, or a wrong number, makes a `BadRecord`."""
        row = FileRow(line)
        problem = None
        fits = len(cells) >= self.count and not any(cells[self.count :])
        if not fits:
            problem = f"has {len(cells)} cells, and the header has {self.count}"
        for place, (column, cell) in enumerate(zip(self._columns, cells, strict=False), 1):
            if not cell:
                continue
            if column is None:
                if cell.strip():
                    problem = problem or f"has a value in column {place}, which has no title"
                continue
            try:
                column.put(cell, row)
            except ValueError as error:
                problem = problem or f"has a bad {column.title}: {error}"
        if problem is not None:
            # Behind a cell too many or too few, the ID is that of another record, or none.
            id_ = row.get("id") if fits or self._id_comes_first else None
            return BadRecord(reason=f"line {line} {problem}.", id=id_)
        return row

    def is_header(self, cells: list[str]) -> bool:
        """Tell whether a record names columns, as the first line of another file does."""
        names = []
        for cell in cells:
            if title := cell.strip():
                column = Column.of(title, self._fields)
                if not column.field:
                    return False
                names.append(column.name)
        return bool(names) and all(name in names for name in self._required)

    def swallowed(self, lines: Sequence[str], delimiter: str) -> int | None:
        """
        Find, among the lines of one record, one that looks like a record of its own.

        Two quotes that are missing can match each other, with whole records between them.

        Returns:
            The place of the line, from 0. None: it is a text of several lines.
        """
        for place, line in enumerate(lines):
            cells = line.replace('"', "").split(delimiter)
            if place and len(cells) == self.count and self._looks_whole(cells):
                return place
        return None

    def _looks_whole(self, cells: list[str]) -> bool:
        ids = [cells[place] for place in self._ids]
        if not ids[0] or any(map(_WHITE_SPACE.search, ids)):
            return False
        try:
            for place in self._times:
                as_moment(cells[place])
        except ConfigurationError:
            return False
        return True


def _list(cell: str) -> list[str]:
    if cell.startswith("["):
        items: list[str] = _json(cell, list)
        return items
    return [item.strip() for item in cell.split(";") if item.strip()]


def _json(cell: str, kind: type) -> Any:
    try:
        value = loads(cell)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise ValueError(f"{cell[:40]!r} is no JSON {'list' if kind is list else 'object'}")  # noqa: TRY004
    return value
