"""
CSV as RFC 4180 has it, a record at a time: what belongs to a record, and its cells.

Quotes are never guessed at. A quote that opens or closes where none may makes every record behind
it uncertain, so it is an error of the whole file, which names the line where the record begins.

Source: RFC 4180, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import attrs

from talkjs_async.errors import ConfigurationError

DELIMITERS: Final = ",;\t"
LONGEST: Final = 1 << 24
"""Characters of one record; what is longer is no record."""

_CELLS: Final = {
    delimiter: re.compile(
        f'(?:"([^"]*(?:""[^"]*)*)"|([^"{delimiter}]*))(?:{delimiter}|(?P<end>\\Z))'
    )
    for delimiter in DELIMITERS
}
_QUOTED: Final = re.compile('"[^"]*"')


@attrs.frozen
class CsvText:
    """
    The text of a record, before it is taken apart.

    Attributes:
        line: The line of the file in which it begins, from 1.
        text: Without the newline at its end.
        is_ended: Whether it had one.
    """

    line: int
    text: str
    is_ended: bool


def texts_of(path: Path, file: TextIO) -> Iterator[CsvText]:
    """
    Take a file apart into records: a newline between quotes is part of one.

    Raises:
        ConfigurationError: A quote is never closed, or a record is too long to be one.
    """
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        begin = number
        if line.count('"') % 2:
            parts = [line]
            size = len(line)
            while True:
                line = file.readline(LONGEST)
                number += 1
                size += len(line)
                parts.append(line)
                if not line or size > LONGEST:
                    raise _never_closed(path, begin)
                if line.count('"') % 2:
                    break
            line = "".join(parts)
        text = line.rstrip("\r\n")
        if len(text) >= LONGEST:
            raise too_long(path, begin)
        yield CsvText(begin, text, len(text) < len(line))


def delimiter_of(header: str) -> str:
    """Return what separates the columns: the one of the three that the header has most."""
    plain = _QUOTED.sub("", header)
    return max(DELIMITERS, key=plain.count)


def has_stray_return(text: str) -> bool:
    """Whether a record has a carriage return in a cell without quotes."""
    return "\r" in text and "\r" in _QUOTED.sub("", text)


def cells_of(path: Path, record: CsvText, delimiter: str) -> list[str]:
    """
    Take a record apart into cells.

    Raises:
        ConfigurationError: Its quotes do not match.
    """
    text = record.text
    if '"' not in text:
        return text.split(delimiter)
    cells = []
    place = 0
    while True:
        found = _CELLS[delimiter].match(text, place)
        if found is None:
            raise _no_match(path, record)
        quoted, plain = found.group(1, 2)
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        if found["end"] is not None:
            return cells
        place = found.end()


def _no_match(path: Path, record: CsvText) -> ConfigurationError:
    way_out = "a cell that holds quotes stands in quotes, with each of its quotes doubled"
    if '\\"' in record.text:
        way_out += "; this file seems to have \\\" instead, as MySQL writes it (ESCAPED BY '\"')"
    return ConfigurationError(
        "source",
        f"{path} has quotes that do not match, in the record that begins in line {record.line}: "
        f"{way_out}. Nothing of the file is used.",
    )


def _never_closed(path: Path, line: int) -> ConfigurationError:
    return ConfigurationError(
        "source",
        f"{path} has quotes that do not match, or is cut off: a quote that opens in the record "
        f"that begins in line {line} is never closed. Nothing of the file is used.",
    )


def too_long(path: Path, line: int) -> ConfigurationError:
    """Make the error of a file with a line that no record is as long as."""
    return ConfigurationError(
        "source", f"{path} is no file of records: line {line} is over {LONGEST:,} characters long."
    )
