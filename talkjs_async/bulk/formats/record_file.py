"""
CSV and JSON Lines: a record per line.

A file is looked through as a whole before anything of it is sent, so that one that is cut off or in
the wrong encoding is refused while nothing has happened yet. Reading holds one line in memory.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from talkjs_async.bulk._engine.field_names import FieldNames
from talkjs_async.bulk._engine.source_records import BadRecord
from talkjs_async.bulk.formats._csv_dialect import FileRow, columns_of, delimiter_of, row_of
from talkjs_async.errors import ConfigurationError

__all__ = ["RecordFile", "RecordFormat"]

RecordFormat: TypeAlias = Literal["csv", "jsonl"]

_FORMATS: Final[dict[str, RecordFormat]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class RecordFile:
    """
    A file of records. It can be iterated any number of times.

    A record that cannot be read comes as a `BadRecord`; what is wrong with the file as a whole is a
    ConfigurationError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: RecordFormat | None,
        fields: FieldNames,
        *,
        required: tuple[str, ...],
    ) -> None:
        self.path: Path = Path(path)
        self._format = format or _FORMATS.get(self.path.suffix.lower())
        self._fields = fields
        self._required = required
        if self._format not in {"csv", "jsonl"}:
            raise ConfigurationError(
                "format", f"of {self.path} is unknown: name the file .csv or .jsonl, or say which."
            )
        if not self.path.is_file():
            raise ConfigurationError("path", f"{self.path} is no file.")

    def __repr__(self) -> str:
        return f"<RecordFile {self.path}>"

    def __iter__(self) -> Iterator[FileRow]:
        rows = self._csv_rows if self._format == "csv" else self._json_rows
        try:
            yield from rows()
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path) from error
        except OSError as error:
            raise ConfigurationError("path", f"{self.path} cannot be read: {error}.") from error

    def check(self) -> int:
        """
        Read the whole file.

        Returns:
            How many records it has, the unreadable ones included.

        Raises:
            ConfigurationError: It is not UTF-8, cut off, or has a wrong header.
        """
        return sum(1 for _ in self)

    def _json_rows(self) -> Iterator[FileRow]:
        with self.path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if not line.endswith("\n"):
                        raise _cut_off(self.path, number) from error
                    yield BadRecord(reason=f"line {number} is not JSON.")
                    continue
                if isinstance(row, dict):
                    yield row
                else:
                    yield BadRecord(reason=f"line {number} is not a JSON object.")

    def _csv_rows(self) -> Iterator[FileRow]:
        with self.path.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            delimiter = delimiter_of(first)
            header = next(csv.reader([first], delimiter=delimiter), [])
            columns = columns_of(self.path, header, self._fields, self._required)
            rows = csv.reader(lines, delimiter=delimiter, strict=True)
            short: tuple[int, list[str]] | None = None
            for number, cells in self._numbered(rows):
                if short is not None:
                    yield row_of(columns, *short)
                    short = None
                if isinstance(cells, BadRecord):
                    yield cells
                elif len(cells) < len(columns):
                    # Held back: it may be the last one, and then the file may end inside of it.
                    short = number, cells
                else:
                    yield row_of(columns, number, cells)
            if short is not None:
                if not _ends_with_newline(self.path):
                    raise _cut_off(self.path, short[0])
                yield row_of(columns, *short)

    def _numbered(self, rows: Any) -> Iterator[tuple[int, list[str] | BadRecord]]:
        """Give each row its line number; the header was line 1."""
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise _cut_off(self.path, rows.line_num + 1) from error
                yield rows.line_num + 1, BadRecord(reason=f"line {rows.line_num + 1}: {error}.")
                continue
            if cells is None:
                return
            if cells:
                yield rows.line_num + 1, cells


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) in {b"\n", b"\r"}


def _cut_off(path: Path, number: int) -> ConfigurationError:
    return ConfigurationError(
        "source", f"{path} is cut off: it ends in the middle of line {number}. Get it as a whole."
    )


def _not_utf8(path: Path) -> ConfigurationError:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return ConfigurationError(
                    "source",
                    f"{path} is not UTF-8: line {number} has the byte "
                    f"0x{line[error.start]:02x} at place {error.start + 1}. Save it as UTF-8.",
                )
    return ConfigurationError("source", f"{path} is not UTF-8. Save it as UTF-8.")
