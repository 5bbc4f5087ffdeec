"""
CSV and JSON Lines: a record per line.

A file is looked through as a whole before anything of it is sent, so that one that is cut off, in
the wrong encoding or with quotes that do not match is refused while nothing has happened yet.
Reading holds one record in memory.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias

from talkjs_async.bulk._engine.named_paths import check_file, named_path
from talkjs_async.bulk._engine.source_records import BadRecord, FileRow
from talkjs_async.bulk.formats._csv_dialect import Columns, columns_of
from talkjs_async.bulk.formats._csv_records import (
    LONGEST,
    CsvText,
    cells_of,
    delimiter_of,
    has_stray_return,
    texts_of,
    too_long,
)
from talkjs_async.bulk.formats._packed import PACKED
from talkjs_async.bulk.formats._strict_json import AmbiguousJSON, is_open, loads
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._field_names import FieldNames

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
        self.path: Path = named_path("path", path)
        self._format = _FORMATS.get(self.path.suffix.lower()) if format is None else format
        self._fields = fields
        self._required = required
        known = isinstance(self._format, str) and self._format in {"csv", "jsonl"}
        if known or format is None:
            # What is no file needs no name that says its format.
            check_file("path", self.path)
        if not known:
            is_packed = self.path.suffix.lower() in PACKED
            way_out = "name the file .csv or .jsonl, or say which"
            raise ConfigurationError(
                "format",
                f"of {self.path} is unknown: {'unpack it first' if is_packed else way_out}.",
            )
        # The file as it was when it was checked; the job reads it once more.
        self._checked: os.stat_result | None = None

    def __repr__(self) -> str:
        return f"<RecordFile {self.path}>"

    def __iter__(self) -> Iterator[FileRow | BadRecord]:
        rows = self._csv_rows if self._format == "csv" else self._json_rows
        try:
            _check_text(self.path)
            yield from rows()
            self._check_unchanged()
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path) from error
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def check(self) -> int:
        """
        Read the whole file.

        Returns:
            How many records it has, the unreadable ones included.

        Raises:
            ConfigurationError: It is not UTF-8, cut off, has quotes that do not match, or a wrong
                header.
        """
        self._checked = None
        try:
            before = self.path.stat()
            count = sum(1 for _ in self)
            self._checked = before
            self._check_unchanged()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return count

    def _check_unchanged(self) -> None:
        """Make sure that what was read is what was checked: a program may be writing to it."""
        then, now = self._checked, self.path.stat()
        if then is not None and _version_of(then) != _version_of(now):
            raise ConfigurationError(
                "source",
                f"{self.path} was changed while it was read, and some of its records may be "
                "missing: run the job again when nothing writes to it.",
            )

    def _json_rows(self) -> Iterator[FileRow | BadRecord]:
        with self.path.open(encoding="utf-8-sig", newline=_newline_of(self.path)) as file:
            is_first = True
            number = 0
            while line := file.readline(LONGEST):
                number += 1
                if len(line) == LONGEST and line[-1] not in "\r\n":
                    raise too_long(self.path, number)
                if not line.strip():
                    continue
                if (is_first and line.strip() in {"[", "{"}) or (is_first and _is_array(line)):
                    raise _not_lines(self.path, line)
                is_first = False
                try:
                    row = loads(line)
                except AmbiguousJSON as error:
                    if line[-1] not in "\r\n":
                        raise _bad_end(self.path, number, line, str(error)) from error
                    yield BadRecord(reason=f"line {number} {error}.")
                    continue
                if isinstance(row, dict):
                    yield FileRow(number, row)
                else:
                    yield BadRecord(reason=f"line {number} is not a JSON object.")

    def _csv_rows(self) -> Iterator[FileRow | BadRecord]:
        with self.path.open(encoding="utf-8-sig", newline=_newline_of(self.path)) as file:
            texts = texts_of(self.path, file)
            header = _header_of(self.path, texts)
            hint = _DELIMITER_HINT.fullmatch(header.text)
            if hint:
                header = _header_of(self.path, texts)
            delimiter = hint[1] if hint else delimiter_of(header.text)
            titles = cells_of(self.path, header, delimiter)
            columns = columns_of(self.path, titles, self._fields, self._required)
            for text in texts:
                if text.text.startswith(_MARK):
                    raise _two_files(self.path, text.line)
                if text.text.strip(_BLANK):
                    yield self._row(text, columns, delimiter)

    def _row(self, text: CsvText, columns: Columns, delimiter: str) -> FileRow | BadRecord:
        cells = cells_of(self.path, text, delimiter)
        if columns.is_header(cells):
            raise _two_files(self.path, text.line)
        if len(cells) < columns.count and not text.is_ended:
            raise _cut_off(self.path, text.line)
        if "\0" in text.text:
            return BadRecord(reason=f"line {text.line} holds a NUL: the file was damaged.")
        if has_stray_return(text.text):
            return BadRecord(reason=f"line {text.line} holds a line break that is not in quotes.")
        if "\n" in text.text:
            place = columns.swallowed(text.text.split("\n"), delimiter)
            if place is not None:
                return BadRecord(
                    reason=f"line {text.line}: a cell in quotes goes on over line "
                    f"{text.line + place}, which looks like a record of its own: are quotes "
                    "missing? If not, use JSON Lines for it."
                )
        return columns.row_of(text.line, cells)


_MARK: Final = "\ufeff"
"""The byte order mark. It begins a file."""
_BLANK: Final = ' \t\r\n,;"'
"""A line of nothing else means nothing."""


_DELIMITER_HINT: Final = re.compile('"?sep=([,;\t])"?[,;\t]*')
"""The line that tells Excel what separates the columns."""


def _header_of(path: Path, texts: Iterator[CsvText]) -> CsvText:
    """Return the first line that says something."""
    header = next((text for text in texts if text.text.strip(_BLANK)), None)
    if header is not None and "\0" in header.text:
        raise _no_text(path)
    if header is None:
        raise ConfigurationError("source", f"{path} is empty: its first line names the columns.")
    if has_stray_return(header.text):
        raise ConfigurationError(
            "source",
            f"{path} has a line break in line {header.line} that is a carriage return alone, and "
            "others that are not: save it with line breaks of one kind.",
        )
    return header


def _version_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check_text(path: Path) -> None:
    """Refuse what begins as another kind of file does, in words that say which."""
    with path.open("rb") as file:
        begin = file.read(_BEGIN)
    for magic, what in _OTHERS.items():
        if begin.startswith(magic):
            raise ConfigurationError("source", f"{path} is {what}.")
    line = begin.partition(b"\n")[0]
    # A few are damage of that one line.
    if line.count(0) * 3 > len(line):
        raise _no_text(path)


_BEGIN: Final = 4096
_OTHERS: Final = {
    codecs.BOM_UTF32_LE: "in UTF-32: save it in UTF-8",
    codecs.BOM_UTF32_BE: "in UTF-32: save it in UTF-8",
    codecs.BOM_UTF16_LE: "in UTF-16: save it in UTF-8",
    codecs.BOM_UTF16_BE: "in UTF-16: save it in UTF-8",
    codecs.BOM_UTF8 * 2: "marked as UTF-8 twice: take one of the marks at its begin away",
    b"\x1f\x8b": "packed (gzip): unpack it first",
    b"PK\x03\x04": "packed (zip), or of a spreadsheet: unpack it, or save it as CSV in UTF-8",
    b"BZh": "packed (bzip2): unpack it first",
    b"\xfd7zXZ": "packed (xz): unpack it first",
    b"\x28\xb5\x2f\xfd": "packed (zstd): unpack it first",
}
"""How files begin that are no text in UTF-8. UTF-32 comes first: it begins as UTF-16 does."""


def _newline_of(path: Path) -> str:
    """Return what ends the lines: a carriage return only where the file has nothing else."""
    with path.open("rb") as file:
        block = file.read(1 << 16)
    return "\r" if b"\r" in block and b"\n" not in block else "\n"


_ARRAY_OF_OBJECTS: Final = re.compile(r"\s*\[\s*\{")


def _is_array(line: str) -> bool:
    """Whether the first line begins an array of objects; `[1]` alone is a bad record."""
    return _ARRAY_OF_OBJECTS.match(line) is not None


def _not_lines(path: Path, line: str) -> ConfigurationError:
    is_array = line.lstrip().startswith("[")
    what = "is a JSON array" if is_array else "has JSON objects of several lines"
    program = f"jq -c {chr(39)}.[]{chr(39)}" if is_array else "jq -c ."
    return ConfigurationError(
        "source",
        f"{path} {what}, and no JSON Lines, which have an object in each line: make them with "
        f"`{program} FILE > FILE.jsonl`.",
    )


def _no_text(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "source",
        f"{path} is no text in UTF-8: its first line holds NULs, as UTF-16 and the files of "
        "spreadsheets do. Save it in UTF-8.",
    )


def _two_files(path: Path, line: int) -> ConfigurationError:
    return ConfigurationError(
        "source",
        f"{path} seems to be two files, one behind the other: line {line} begins the second one, "
        "which may have other columns. Use each by itself.",
    )


def _cut_off(path: Path, number: int) -> ConfigurationError:
    return ConfigurationError(
        "source", f"{path} is cut off: it ends in the middle of line {number}. Get it as a whole."
    )


def _bad_end(path: Path, number: int, line: str, problem: str) -> ConfigurationError:
    """Refuse a bad line that no line break ends: more of it, or of the file, may be missing."""
    if is_open(line) or "\0" in line:
        return _cut_off(path, number)
    return ConfigurationError(
        "source",
        f"{path} may be cut off: its last line, {number}, {problem}, and no line break ends it. "
        "Get the file as a whole, or mend the line.",
    )


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    reason = error.strerror or type(error).__name__
    return ConfigurationError("path", f"{path} cannot be read: {reason}. Name one that can be.")


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
