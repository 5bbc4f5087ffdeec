"""What the commands for tokens and webhooks do. Each ends the process with its exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import typer

from talkjs_async.cli._global_options import GlobalOptions, reason_of
from talkjs_async.cli._output import say, write, write_json
from talkjs_async.errors import ConfigurationError, WebhookError
from talkjs_async.identity import Tokens
from talkjs_async.webhooks import LARGEST_BODY, Webhooks

_FOREVER: Final = 1e11
"""Seconds: three thousand years."""


def app_token(options: GlobalOptions, expires_in: float) -> None:
    """Show a token for the REST API."""
    _show_token(options, _tokens(options).app(expires_in=expires_in))


def user_token(options: GlobalOptions, user: str, expires_in: float) -> None:
    """Show a token for a user."""
    _show_token(options, _tokens(options).user(user, expires_in=expires_in))


def verify_webhook(
    options: GlobalOptions, file: Path, *, signature: str, timestamp: str, any_age: bool
) -> None:
    """Check a webhook."""
    try:
        # One byte more than is taken, so that the rest of what is too large is left alone.
        most = LARGEST_BODY + 1
        body = sys.stdin.buffer.read(most) if str(file) == "-" else _begin_of(file, most)
    except OSError as error:
        raise ConfigurationError("FILE", f"{file} cannot be read: {reason_of(error)}.") from None
    tolerance = _FOREVER if any_age else 300.0
    webhooks = Webhooks(options.secret_key(), tolerance=tolerance)
    headers = {"X-TalkJS-Signature": signature, "X-TalkJS-Timestamp": timestamp}
    try:
        event = webhooks.verify(body, headers)
    except WebhookError as error:
        say(f"Not genuine, or not fresh: {error}")
        raise typer.Exit(1) from None
    if options.json:
        write_json(json.loads(body))
    else:
        write(f"Genuine: {event.type} {event.id} of {event.created_at:%Y-%m-%d %H:%M:%S} UTC")


def _begin_of(file: Path, most: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(most)


def _tokens(options: GlobalOptions) -> Tokens:
    return Tokens(options.checked_app_id(), options.secret_key())


def _show_token(options: GlobalOptions, token: str) -> None:
    if options.json:
        write_json({"token": token})
    else:
        write(token)
