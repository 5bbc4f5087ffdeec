"""What all commands share: the name of the program, which app, where, and its secret key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import quote

from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    from talkjs_async.client import AsyncTalkJS


class GlobalOptions(NamedTuple):
    """
    The global options.

    Attributes:
        app_id, base_url: None: the environment, as for `AsyncTalkJS`.
        secret_file: A file that has the secret key. None: the environment, or a prompt.
        json: Whether to write for machines.
    """

    app_id: str | None
    base_url: str | None
    secret_file: Path | None
    json: bool

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
        app_id = self.app_id or os.environ.get("TALKJS_APP_ID")
        if not app_id:
            raise ConfigurationError("--app-id", "is missing: give it, or set TALKJS_APP_ID.")
        _check("--app-id", app_id)
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
        if self.secret_file is not None:
            try:
                key = self.secret_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(
                    "--secret-file", f"cannot be read: {self.secret_file}: {reason_of(error)}."
                ) from None
            _check("--secret-file", key)
            return key or _no_key(f"{self.secret_file} is empty")
        key = os.environ.get("TALKJS_SECRET_KEY", "")
        if not key and sys.stdin.isatty():
            key = ask("Secret key (TalkJS dashboard, Settings): ").strip()
        _check("TALKJS_SECRET_KEY", key)
        return key or _no_key("is missing")


def _check(name: str, value: str) -> None:
    """Refuse what a copied line brings along: TalkJS would only say that the signature is wrong."""
    if any(letter.isspace() or not letter.isprintable() for letter in value):
        raise ConfigurationError(name, "holds a space, a line break or the like: take it out.")


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Say in a few words why a file cannot be used."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8"


def _no_key(problem: str) -> NoReturn:
    raise ConfigurationError(
        "secret key", f"{problem}: set TALKJS_SECRET_KEY or use --secret-file."
    )
