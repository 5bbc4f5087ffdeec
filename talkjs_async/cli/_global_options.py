"""What all commands share: the name of the program, which app, where, and its secret key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    from talkjs_async.client import AsyncTalkJS

PROGRAM: Final = "talkjs-async"


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
        return app_id

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
                raise ConfigurationError("--secret-file", f"cannot be read: {error}.") from None
            return key or _no_key(f"{self.secret_file} is empty")
        key = os.environ.get("TALKJS_SECRET_KEY", "")
        if not key and sys.stdin.isatty():
            key = ask("Secret key (TalkJS dashboard, Settings): ").strip()
        return key or _no_key("is missing")


def _no_key(problem: str) -> NoReturn:
    raise ConfigurationError(
        "secret key", f"{problem}: set TALKJS_SECRET_KEY or use --secret-file."
    )
