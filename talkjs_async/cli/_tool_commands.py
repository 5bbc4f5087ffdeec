"""The commands around the jobs (tokens, webhooks, checks, emulator): their names and arguments."""
# ruff: noqa: PLC0415 - see commands.py

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkjs_async.cli._output import PROGRAM
from talkjs_async.cli._typer_app import app, command, token_group, webhook_group


@command(token_group, "app")
def app_token(
    context: typer.Context,
    expires_in: Annotated[float, typer.Option(help="Seconds that it lives.")] = 30.0,
) -> None:
    """Make a token for the REST API: it may do everything."""
    from talkjs_async.cli import _tool_actions

    _tool_actions.app_token(context.obj, expires_in)


@command(token_group, "user")
def user_token(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="ID of the user.", show_default=False)],
    expires_in: Annotated[float, typer.Option(help="Seconds that it lives.")] = 86_400.0,
) -> None:
    """Make a token for one user's browser."""
    from talkjs_async.cli import _tool_actions

    _tool_actions.user_token(context.obj, user, expires_in)


@command(webhook_group, "verify")
def verify_webhook(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="The body as it came, byte by byte; - is the standard input.", show_default=False
        ),
    ],
    signature: Annotated[
        str, typer.Option(help="The header X-TalkJS-Signature.", show_default=False)
    ],
    timestamp: Annotated[
        str, typer.Option(help="The header X-TalkJS-Timestamp.", show_default=False)
    ],
    any_age: Annotated[bool, typer.Option("--any-age", help="Take old ones, too.")] = False,
) -> None:
    """Check that a webhook is TalkJS's, and show what it says. Exit code 1: it is not."""
    from talkjs_async.cli import _tool_actions

    _tool_actions.verify_webhook(
        context.obj, file, signature=signature, timestamp=timestamp, any_age=any_age
    )


@command(app)
def doctor(context: typer.Context) -> None:
    """Check credentials, clock, TLS and budget."""
    from talkjs_async.cli import _doctor

    raise typer.Exit(_doctor.run(context.obj))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def emulator(context: typer.Context) -> None:
    """Start a local stand-in for TalkJS on a port."""
    from talkjs_async.emulator.__main__ import main as start

    raise typer.Exit(start(context.args, prog=f"{PROGRAM} emulator"))
