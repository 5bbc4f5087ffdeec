"""
Large JSON files, an item at a time.

For files that are one object with long arrays in it: `{"messages": [...], "channel": {...}}`. Holds
one item in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from talkjs_async.bulk._engine.named_paths import check_file
from talkjs_async.bulk.formats._strict_json import DECODER, DEPTH, MARKS, AmbiguousJSON
from talkjs_async.errors import ConfigurationError

_BLOCK: Final = 1 << 16
_MOST: Final = 1 << 24
"""Characters of one item; what is longer is no record."""


class TooDeep:
    """Stands for a value that is nested too deep to be read."""


def items_of(
    path: Path,
    *,
    is_wanted: Callable[[str], bool] = lambda _: False,
    other: Callable[[str, Any], None] = lambda _, __: None,
) -> Iterator[tuple[str, Any]]:
    """
    Go through the arrays of the object in a file.

    Args:
        is_wanted: Whether a key, each of which it is asked about, has an array. Anything else in
            its place but null is refused.
        other: Is told of each key with something else than an array, and of that.

    Yields:
        The array's key and an item of it.

    Raises:
        ConfigurationError: The file is no such JSON, cut off, or not UTF-8.
    """
    check_file("source", path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _arrays(_Text(path, file), is_wanted, other)
    except UnicodeDecodeError as error:
        raise ConfigurationError("source", f"{path} is not UTF-8.") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError("source", f"{path} cannot be read: {reason}.") from error


def _arrays(
    text: _Text, is_wanted: Callable[[str], bool], other: Callable[[str, Any], None]
) -> Iterator[tuple[str, Any]]:
    text.take("{")
    while text.peek() != "}":
        key = text.key()
        text.take(":")
        wanted = is_wanted(key)
        if text.peek() == "[":
            text.take("[")
            while text.peek() != "]":
                yield key, text.value()
                text.separate("]")
            text.take("]")
        elif wanted and text.peek() != "n":
            raise text.wrong(f"has something else than a list as its {key!r}")
        else:
            other(key, text.value())
        text.separate("}")
    text.take("}")
    text.end()


class _Text:
    """JSON text that is read as far as it is needed."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._text = ""
        self._place = 0
        self._line = 1
        self._decode = DECODER.raw_decode

    def peek(self) -> str:
        """Return the next character that is no white space."""
        while True:
            rest = self._text[self._place : self._place + 1]
            if rest and not rest.isspace():
                return rest
            if rest:
                self._place += 1
            elif not self._read():
                raise self.wrong("is cut off")

    def take(self, character: str) -> None:
        """Go behind a character that must come next."""
        if self.peek() != character:
            raise self.wrong(f"has {self.peek()!r} where {character!r} should be")
        self._place += 1

    def separate(self, end: str) -> None:
        """Go behind the comma between two values. In front of *end* there is none."""
        if self.peek() != end:
            self.take(",")

    def key(self) -> str:
        """Read what an object calls a value."""
        if self.peek() != '"':
            raise self.wrong(f"has {self.peek()!r} where a key should be")
        return str(self.value())

    def end(self) -> None:
        """Make sure that nothing comes behind the object."""
        while self._text[self._place :].isspace() or self._place == len(self._text):
            self._place = len(self._text)
            if not self._read():
                return
        raise self.wrong(f"has {self.peek()!r} behind its end")

    def value(self) -> Any:
        """Read a value."""
        self.peek()
        while True:
            problem: Exception | None = None
            value: Any = None
            end = len(self._text)
            try:
                value, end = self._decode(self._text, self._place)
            except AmbiguousJSON as error:
                raise self.wrong(str(error)) from error
            except RecursionError:
                self._skip()
                return TooDeep()
            except ValueError as error:
                problem = error
            # A number at the end of what was read may go on behind it.
            if end < len(self._text):
                self._place = end
                return value
            if len(self._text) - self._place > _MOST or not self._read():
                raise self.wrong("is cut off, or no JSON") from problem

    def _skip(self) -> None:
        """Go behind an array or an object without reading it."""
        depth, place = 0, self._place
        while True:
            for mark in MARKS.finditer(self._text, place):
                if mark[1] == "":
                    place = mark.start()
                    break
                place = mark.end()
                depth += DEPTH.get(mark[0], 0)
                if depth == 0:
                    self._place = place
                    return
            place -= self._place
            if len(self._text) - self._place > _MOST or not self._read():
                raise self.wrong("is cut off, or no JSON")

    def _read(self) -> bool:
        """Read on, and forget what has been used. Returns False at the end of the file."""
        block = self._file.read(_BLOCK)
        self._line += self._text.count("\n", 0, self._place)
        self._text = self._text[self._place :] + block
        self._place = 0
        return block != ""

    def wrong(self, what: str) -> ConfigurationError:
        """Make the error of what is at the present place."""
        line = self._line + self._text.count("\n", 0, self._place)
        return ConfigurationError("source", f"{self._path} {what}: see line {line}.")
