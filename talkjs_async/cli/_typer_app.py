"""The command line as a whole: groups of commands, options of all of them, their help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from talkjs_async._version import __version__
from talkjs_async.cli._global_options import PROGRAM, GlobalOptions

_HELP: Final = frozenset({"-h", "--help"})
_SETTINGS: Final[dict[str, Any]] = {"help_option_names": sorted(_HELP), "max_content_width": 90}

app: Final[typer.Typer] = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)


def _group(name: str, help: str) -> typer.Typer:
    group = typer.Typer(help=help, rich_markup_mode=None)
    app.add_typer(group, name=name)
    return group


users_group = _group("users", "Users in bulk.")
conversations_group = _group("conversations", "Conversations in bulk.")
messages_group = _group("messages", "Messages in bulk.")
migrate_group = _group("migrate", "Move from another chat service.")
token_group = _group("token", "Tokens to sign in with.")
webhook_group = _group("webhook", "Webhooks that were received.")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def global_options(
    context: typer.Context,
    app_id: Annotated[
        str | None, typer.Option(envvar="TALKJS_APP_ID", help="From the TalkJS dashboard.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(envvar="TALKJS_BASE_URL", help="Default: https://api.talkjs.com."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="A file that holds the secret key. Otherwise it is taken from TALKJS_SECRET_KEY, "
            "or asked for. It is never an argument: those are seen by all users of the machine.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON Lines for machines.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback has done it all
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """
    Bulk jobs and small helps for the TalkJS REST API.

    Exit codes: 0 all done; 1 some records failed; 2 wrong usage; 3 TalkJS cannot be reached or does
    not allow it, or the disk is full; 130 stopped by Ctrl-C. Results go to the standard output,
    progress and complaints to the standard error.
    """
    context.obj = GlobalOptions(app_id, base_url, secret_file, json)


def help_for(arguments: Sequence[str]) -> str | None:
    """
    Return the help that is asked for, also by not saying what to do.

    None: none is, or the command has its own.
    """
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=PROGRAM, **_SETTINGS)
    for argument in arguments:
        if argument in _HELP:
            return command.get_help(context)
        below = command.commands.get(argument) if isinstance(command, TyperGroup) else None
        if below is not None:
            if not below.add_help_option:
                return None
            command = below
            context = typer.Context(command, info_name=argument, parent=context, **_SETTINGS)
    says_too_little = not arguments or arguments[-1] == context.info_name
    if isinstance(command, TyperGroup) and says_too_little:
        return command.get_help(context)
    return None
