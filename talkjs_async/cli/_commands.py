"""
The commands: what they are called, and what they take.

Each loads what it needs when it runs, and help is shown without typer's reading any arguments, so
that `--help` answers at once. Loading typer takes a tenth of a second; pydantic, which it reads
arguments with, takes three times that, and rich, which would colour the help, twice.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from typer.core import TyperGroup

from talkjs_async import __version__
from talkjs_async.cli import PROGRAM
from talkjs_async.cli._settings import Settings

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


_users = _group("users", "Users in bulk.")
_conversations = _group("conversations", "Conversations in bulk.")
_messages = _group("messages", "Messages in bulk.")
_migrate = _group("migrate", "Move from another chat service.")
_token = _group("token", "Tokens to sign in with.")
_webhook = _group("webhook", "Webhooks that were received.")


Format = Literal["csv", "jsonl"]
File = Annotated[Path, typer.Argument(help="A .csv or .jsonl file in UTF-8.", show_default=False)]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Of the file. Default: by its extension.")
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="Where to note what was done, to go on after an interruption and to send only what "
        "has changed the next time. Default: beside what is read.",
    ),
]
OverflowOption = Annotated[
    bool,
    typer.Option(
        "--overflow/--no-overflow",
        help="Let batch requests take along what waits for the budget: twice as fast.",
    ),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def settings(
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
    context.obj = Settings(app_id, base_url, secret_file, json)


@_users.command("sync")
def sync_users(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
) -> None:
    """
    Create or change users, 100 with one request.

    Columns are id, name, email, phone, photo_url, role, locale, welcome_message, availability_text
    and custom.<key>; several addresses in a cell are separated by ";". What is not given stays as
    it is at TalkJS. Run it again with a newer file, and only what has changed is sent.
    """
    from talkjs_async.cli import _actions

    _actions.sync_users(context.obj, file, format, journal)


@_conversations.command("sync")
def sync_conversations(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    overflow: OverflowOption = True,
) -> None:
    """
    Create or change conversations.

    Columns are id, participants (separated by ";"), subject, photo_url, welcome_messages and
    custom.<key>. Participants are added, nobody is removed.
    """
    from talkjs_async.cli import _actions

    _actions.sync_conversations(context.obj, file, format, journal, overflow=overflow)


@_messages.command("import")
def import_messages(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    overflow: OverflowOption = True,
) -> None:
    """
    Import old messages with their own times, each exactly once.

    Columns are conversation_id, sender, text, sent_at (ISO 8601 with a time zone, or Unix
    milliseconds), id, read_by, attachment_token and custom.<key>. Nobody is notified. Without an
    id, a message is known by its place in the file.
    """
    from talkjs_async.cli import _actions

    _actions.import_messages(context.obj, file, format, journal, overflow=overflow)


@_messages.command("send")
def send_messages(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    overflow: OverflowOption = True,
) -> None:
    """
    Send messages now, each exactly once, in the order of their conversation.

    Columns are conversation_id, sender, text, id, type (SystemMessage for one without a sender),
    attachment_token, referenced_message_id and custom.<key>. The participants are notified.
    """
    from talkjs_async.cli import _actions

    _actions.send_messages(context.obj, file, format, journal, overflow=overflow)


@app.command()
def export(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(help="A new one, or one to go on with.", show_default=False)
    ],
) -> None:
    """
    Write everything there is as JSON Lines.

    The directory gets users, conversations, participants and messages, a file each, and last of all
    export.json, which says that all is there. Run it again to go on after an interruption.
    """
    from talkjs_async.cli import _actions

    _actions.export(context.obj, directory)


@app.command()
def restore(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Of a complete export.", show_default=False)],
    journal: JournalOption = None,
    overflow: OverflowOption = True,
) -> None:
    """
    Load an export into another app, which should be empty.

    TalkJS imports messages of participants that have a text; system messages, files and places are
    reported as failed.
    """
    from talkjs_async.cli import _actions

    _actions.restore(context.obj, directory, journal, overflow=overflow)


@_migrate.command("sendbird")
def migrate_sendbird(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(help="Where the exported .json files are.", show_default=False)
    ],
    journal: JournalOption = None,
    overflow: OverflowOption = True,
) -> None:
    """Load Sendbird's data export (JSON) of users, group channels and messages."""
    from talkjs_async.cli import _actions

    _actions.migrate_sendbird(context.obj, directory, journal, overflow=overflow)


@app.command()
def anonymise(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="ID of the user.", show_default=False)],
    conversations: Annotated[
        bool,
        typer.Option("--conversations", help="Overwrite subject and data of their conversations."),
    ] = False,
    everyones_messages: Annotated[
        bool,
        typer.Option("--everyones-messages", help="Overwrite what others said there, too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be overwritten.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Overwrite the personal data of a user.

    And the texts of their messages, for good. TalkJS cannot delete a user; these are the steps of
    its own example. Conversations that the user has left are not found.
    """
    from talkjs_async.cli import _actions

    if not dry_run and not yes:
        typer.confirm(f"Overwrite everything of {user!r} for good?", abort=True)
    _actions.anonymise(
        context.obj,
        user,
        conversations=conversations,
        everyones_messages=everyones_messages,
        dry_run=dry_run,
        overflow=overflow,
    )


@_token.command("app")
def app_token(
    context: typer.Context,
    expires_in: Annotated[float, typer.Option(help="Seconds that it lives.")] = 30.0,
) -> None:
    """Make a token for the REST API: it may do everything."""
    from talkjs_async.cli import _actions

    _actions.app_token(context.obj, expires_in)


@_token.command("user")
def user_token(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="ID of the user.", show_default=False)],
    expires_in: Annotated[float, typer.Option(help="Seconds that it lives.")] = 86_400.0,
) -> None:
    """Make a token for one user's browser."""
    from talkjs_async.cli import _actions

    _actions.user_token(context.obj, user, expires_in)


@_webhook.command("verify")
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
    from talkjs_async.cli import _actions

    _actions.verify_webhook(
        context.obj, file, signature=signature, timestamp=timestamp, any_age=any_age
    )


@app.command()
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


@app.command()
def demo() -> None:
    """Let two people talk: no account, no network."""
    from talkjs_async.cli import _demonstration

    _demonstration.run()


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


def run_command(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    from talkjs_async.errors import TalkJSError

    help_text = help_for(arguments)
    if help_text is not None:
        typer.echo(help_text)
        return 0
    try:
        app(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except TalkJSError as error:
        from talkjs_async.cli._actions import exit_code

        typer.echo(f"{PROGRAM}: {error}", err=True)
        return exit_code(error)
    return 0
