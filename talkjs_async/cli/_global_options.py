"""What all commands share: the name of the program, which app, where, and its secret key."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from urllib.parse import quote

from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    from talkjs_async.client import AsyncTalkJS

_LARGEST_KEY: Final = 1 << 16
"""Bytes."""
LARGEST_INPUT: Final = 1 << 26
"""Bytes of a body. No request that TalkJS documents comes near."""


class GlobalOptions(NamedTuple):
    """
    The global options.

    Attributes:
        app_id, base_url: None: the environment, as for `AsyncTalkJS`.
        secret_file: A file that has the secret key. None: the environment, or a prompt.
        json: Whether to write for machines.
        is_target: Whether these are of the app that another one is copied into.
    """

    app_id: str | None
    base_url: str | None
    secret_file: Path | None
    json: bool
    is_target: bool = False

    def option(self, name: str) -> str:
        """What an option is called on the command line."""
        return f"--to-{name}" if self.is_target else f"--{name}"

    def variable(self, name: str) -> str:
        """What a variable of the environment is called."""
        return f"TALKJS_TARGET_{name}" if self.is_target else f"TALKJS_{name}"

    def client(self, **options: Any) -> AsyncTalkJS:
        """Build a client that outlives an outage of half an hour."""
        # Loaded here and not above: `--help` makes these, too, and needs no client.
        from talkjs_async._core.retry import RetryPolicy  # noqa: PLC0415
        from talkjs_async.client import AsyncTalkJS  # noqa: PLC0415

        return AsyncTalkJS(
            self.checked_app_id(),
            self.secret_key(),
            base_url=self.base_url,
            retry=RetryPolicy(attempts=50, max_delay=60.0, max_elapsed=1_800.0),
            **options,
        )

    def checked_app_id(self) -> str:
        """Return the ID of the app."""
        option, variable = self.option("app-id"), self.variable("APP_ID")
        if self.app_id == "":
            # Of a script's variable that is not set: the other one may be another app.
            raise ConfigurationError(option, f"is empty: give one, or only set {variable}.")
        app_id = self.app_id or os.environ.get(variable)
        if not app_id:
            raise ConfigurationError(option, f"is missing: give it, or set {variable}.")
        _check(option, app_id)
        return app_id

    def app_in_file_names(self) -> str:
        """Return the ID of the app in a form that file names may have."""
        return quote(self.checked_app_id(), safe=" ")

    def secret_key(self, *, ask: Callable[[str], str] = getpass) -> str:
        """
        Find the secret key. It never comes from an argument, which every user of the machine sees.

        Args:
            ask: Asks for it without showing it; used when a person sits there.
        """
        option, variable = self.option("secret-file"), self.variable("SECRET_KEY")
        if self.secret_file is not None:
            try:
                key = read_file(self.secret_file, _LARGEST_KEY).decode("utf-8-sig").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(
                    option, f"cannot be read: {self.secret_file}: {reason_of(error)}."
                ) from None
            _check(option, key)
            return key or self._no_key(f"{self.secret_file} is empty")
        key = os.environ.get(variable, "")
        if not key and sys.stdin.isatty():
            which = " of the target" if self.is_target else ""
            key = ask(f"Secret key{which} (TalkJS dashboard, Settings): ").strip()
        _check(variable, key)
        return key or self._no_key("is missing")

    def _no_key(self, problem: str) -> NoReturn:
        way_out = f"set {self.variable('SECRET_KEY')} or use {self.option('secret-file')}"
        raise ConfigurationError(
            "secret key of the target" if self.is_target else "secret key", f"{problem}: {way_out}."
        )


def _check(name: str, value: str) -> None:
    """Refuse what a copied line brings along: TalkJS would only say that the signature is wrong."""
    if any(letter.isspace() or not letter.isprintable() for letter in value):
        raise ConfigurationError(name, "holds a space, a line break or the like: take it out.")


def read_file(path: Path, most: int) -> bytes:
    """
    Read a file as a whole; a device such as /dev/zero never ends.

    Raises:
        OSError: It cannot be read, or has more than so many bytes.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def read_input(argument: str) -> str:
    """
    Read the standard input as a whole, which is text of what *argument* is for.

    Raises:
        ConfigurationError: It is in another encoding, too long or cannot be read.
    """
    try:
        text = sys.stdin.read(LARGEST_INPUT + 1)
    except UnicodeDecodeError:
        reason = f"it is not {sys.stdin.encoding.upper()}"
    except OSError as error:
        reason = reason_of(error)
    else:
        if len(text) <= LARGEST_INPUT:
            return checked_text(argument, text)
        reason = os.strerror(errno.EFBIG)
    raise ConfigurationError(argument, f"the standard input cannot be read: {reason}.")


def checked_text(argument: str, text: str) -> str:
    """
    Return text that a person gave.

    Raises:
        ConfigurationError: It has bytes that are none in its encoding, in place of which Python
            puts halves of surrogate pairs: TalkJS would store those.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding().upper()
        raise ConfigurationError(
            argument, f"is not {encoding}, the encoding that this terminal is said to have."
        ) from None
    return text


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Say in a few words why a file cannot be used."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8"
