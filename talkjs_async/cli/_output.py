"""
The one way out: all that the command line writes goes through here.

Lines are encoded for the stream as it is, with escapes for what it cannot show, and no character of
a record reaches the terminal as a command. A closed pipe is silent; a full disk is reported at the
end, once. Neither stops the work.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final, TextIO, cast

PROGRAM: Final = "talkjs-async"

COMPLETION: Final = "_TALKJS_ASYNC_COMPLETE"
"""Variable of the environment by which a shell asks what could come next."""

_COMMANDS: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What moves the cursor, colours, hides or reverses text. Newlines are handled below."""


def write(words: str) -> None:
    """Write a line of results."""
    sys.stdout.write(f"{on_one_line(words)}\n")


def write_json(data: Any) -> None:
    """Write a value as a line for machines; in ASCII, which every stream can carry."""
    sys.stdout.write(json.dumps(data) + "\n")


def say(words: str) -> None:
    """Tell the person something that is no result."""
    sys.stderr.write(f"{on_one_line(words)}\n")
    sys.stderr.flush()


def output_is_closed() -> bool:
    """Tell whether nothing reads the results any more, as far as is known."""
    out: Any = sys.stdout
    return isinstance(out, GuardedStream) and out.closed


def on_one_line(words: str) -> str:
    """Escape all that is more than a character on a line."""
    return _without_commands(words).replace("\n", r"\n")


def _without_commands(text: str) -> str:
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class GuardedStream:
    """A standard stream that never fails. What cannot be written is dropped."""

    def __init__(self, stream: TextIO | None, *, escapes: bool = True) -> None:
        """
        Begin with a stream.

        Args:
            stream: None: it was closed when the process began.
            escapes: Whether to escape commands for terminals. Not for what draws with them.
        """
        self._stream = stream
        self._escapes = escapes
        self.failure: OSError | None = None
        """Why it cannot be written. A closed pipe does not count as a failure."""

    @property
    def encoding(self) -> str:
        """Everything can be written; a stream that draws says what the terminal can show."""
        return "utf-8" if self._escapes else self._real_encoding

    @property
    def errors(self) -> str:
        """What is done with what cannot be encoded."""
        return "backslashreplace"

    @property
    def _real_encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "ascii"

    def unescaped(self) -> GuardedStream:
        """Return the same stream, for what draws on it."""
        return GuardedStream(self._stream, escapes=False)

    def as_text(self) -> TextIO:
        """Return itself, for those that ask for a file."""
        return cast("TextIO", self)

    def write(self, text: str) -> int:
        """Write, or drop."""
        if self._stream is not None:
            shown = _without_commands(text) if self._escapes else text
            encoding = self._real_encoding
            with self._guard():
                self._stream.write(shown.encode(encoding, self.errors).decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Let everything out."""
        if self._stream is not None:
            with self._guard():
                self._stream.flush()

    @property
    def closed(self) -> bool:
        """Whether all that is written is dropped."""
        return self._stream is None

    def isatty(self) -> bool:
        """Whether a person sees it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return its number."""
        if self._stream is None:
            raise OSError("The stream is closed.")
        return self._stream.fileno()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                self.failure = error
            self._give_up()

    def _give_up(self) -> None:
        """Drop the rest, also what Python would still write when the process ends."""
        stream, self._stream = self._stream, None
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, cast("TextIO", stream).fileno())
            os.close(nowhere)


@contextmanager
def _input() -> Iterator[None]:
    """Let a standard input that is closed be an empty one."""
    if sys.stdin is not None:
        yield
        return
    with Path(os.devnull).open() as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = None


def drawing_stream() -> TextIO:
    """Return the standard error for what draws on it with commands of the terminal."""
    stream: Any = sys.stderr
    if isinstance(stream, GuardedStream):
        stream = stream.unescaped()
    return cast("TextIO", stream)


@contextmanager
def guarded_streams() -> Iterator[GuardedStream]:
    """
    Guard both streams, for all code that writes to them meanwhile.

    Yields:
        The standard output.
    """
    out, err = GuardedStream(sys.stdout), GuardedStream(sys.stderr)
    with redirect_stdout(out.as_text()), redirect_stderr(err.as_text()), _input():
        try:
            yield out
        finally:
            out.flush()
            err.flush()
