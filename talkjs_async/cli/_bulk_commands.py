"""The commands that run bulk jobs: what they are called, and what they take."""
# ruff: noqa: PLC0415 - see commands.py

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from talkjs_async.cli._typer_app import (
    app,
    command,
    conversations_group,
    messages_group,
    migrate_group,
    users_group,
)

File = Annotated[Path, typer.Argument(help="A .csv or .jsonl file in UTF-8.", show_default=False)]
FormatOption = Annotated[
    Literal["csv", "jsonl"] | None,
    typer.Option("--format", help="Of the file. Default: by its extension."),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="Where to note what was done: a later run goes on after an interruption, and sends "
        "only what has changed. Default: beside what is read.",
    ),
]
OverflowOption = Annotated[
    bool,
    typer.Option(
        "--overflow/--no-overflow",
        help="Send requests that wait for the budget in batches: twice as fast.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Send nothing, and only list what would be stored.")
]


@command(users_group, "upsert")
def upsert_users(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """
    Create or change users, 100 with one request.

    Columns are id, name, email, phone, photo_url, role, locale, welcome_message, availability_text
    and custom.<key>; several addresses in a cell are separated by ";". What is not given stays as
    it is at TalkJS. Run it again with a newer file, and only what has changed is sent.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.upsert_users(context.obj, file, format, journal, dry_run=dry_run)


@command(conversations_group, "upsert")
def upsert_conversations(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Create or change conversations.

    Columns are id, participants (separated by ";"), subject, photo_url, welcome_messages and
    custom.<key>. Participants are added, none is removed.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.upsert_conversations(
        context.obj, file, format, journal, dry_run=dry_run, overflow=overflow
    )


@command(messages_group, "import")
def import_messages(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Import old messages with their own times, each exactly once.

    Columns are conversation_id, sender, text, sent_at (ISO 8601 with a time zone, or Unix
    milliseconds), id, read_by, attachment_token and custom.<key>. No participant is notified.
    Without an id, a message is known by its place in the file.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.import_messages(
        context.obj, file, format, journal, dry_run=dry_run, overflow=overflow
    )


@command(messages_group, "send")
def send_messages(
    context: typer.Context,
    file: File,
    format: FormatOption = None,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Send messages now, each exactly once, in the order of their conversation.

    Columns are conversation_id, sender, text, id, type (SystemMessage for one without a sender),
    attachment_token, referenced_message_id and custom.<key>. The participants are notified.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.send_messages(
        context.obj, file, format, journal, dry_run=dry_run, overflow=overflow
    )


@command(app)
def export(
    context: typer.Context,
    directory: Annotated[
        Path,
        typer.Argument(help="A new one, or that of an earlier export.", show_default=False),
    ],
    reactions: Annotated[
        bool,
        typer.Option("--reactions", help="Also reactions: one request per emoji and message."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how many requests it would take.")
    ] = False,
) -> None:
    """
    Write everything there is as JSON Lines.

    The directory gets users, conversations, participants and messages, a file each, and last of all
    export.json, which says that all is there. Run it again to go on after an interruption, or at
    another time to bring it up to date: only conversations with a new message are read again.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.export(context.obj, directory, reactions=reactions, dry_run=dry_run)


@command(app)
def restore(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Of a complete export.", show_default=False)],
    into_existing: Annotated[
        bool,
        typer.Option(
            "--into-existing",
            help="Also load into an app that has data. Messages that it has would be there twice.",
        ),
    ] = False,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Load an export into another app, which should be empty.

    If that app is not empty, the command asks on a terminal, and needs --into-existing elsewhere.
    Files are not in an export: messages that carry one are reported as failed.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.restore(
        context.obj,
        directory,
        journal,
        into_existing=into_existing,
        dry_run=dry_run,
        overflow=overflow,
    )


@command(app)
def transfer(
    context: typer.Context,
    to_app_id: Annotated[
        str | None,
        typer.Option(envvar="TALKJS_TARGET_APP_ID", help="The app to copy to."),
    ] = None,
    to_base_url: Annotated[
        str | None,
        typer.Option(envvar="TALKJS_TARGET_BASE_URL", help="Default: that of the source."),
    ] = None,
    to_secret_file: Annotated[
        Path | None,
        typer.Option(
            help="A file that holds its secret key. Otherwise it is taken from "
            "TALKJS_TARGET_SECRET_KEY, or asked for."
        ),
    ] = None,
    max_file_bytes: Annotated[
        int, typer.Option(min=1, help="The largest file that is copied.")
    ] = 500_000_000,
    allow_loopback_files: Annotated[
        bool,
        typer.Option(
            "--allow-loopback-files", help="Files may be on this machine, by http: for tests."
        ),
    ] = False,
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """
    Copy an app into another one, with files, reactions and read marks.

    Copies the app of --app-id to that of --to-app-id. Conversations that exist in the target are
    left alone. Run it again to go on after an interruption, or to copy what is new. The journal is
    transfer.SOURCE.TARGET.journal in the current directory.
    """
    from talkjs_async.cli import _bulk_actions
    from talkjs_async.cli._global_options import GlobalOptions

    source = context.obj
    target_url = source.base_url if to_base_url is None else to_base_url
    target = GlobalOptions(to_app_id, target_url, to_secret_file, source.json, is_target=True)
    _bulk_actions.transfer(
        source,
        target,
        journal,
        max_file_bytes=max_file_bytes,
        allow_loopback_files=allow_loopback_files,
        dry_run=dry_run,
        overflow=overflow,
    )


@command(migrate_group, "sendbird")
def migrate_sendbird(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(help="Where the exported .json files are.", show_default=False)
    ],
    journal: JournalOption = None,
    dry_run: DryRunOption = False,
    overflow: OverflowOption = True,
) -> None:
    """Load Sendbird's data export (JSON) of users, group channels and messages."""
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.migrate_sendbird(
        context.obj, directory, journal, dry_run=dry_run, overflow=overflow
    )


@command(app)
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

    Also overwrites the texts of their messages. It cannot be undone. TalkJS cannot delete a user;
    this follows its own example. Conversations that the user has left are not found.
    """
    from talkjs_async.cli import _bulk_actions

    _bulk_actions.anonymise(
        context.obj,
        user,
        conversations=conversations,
        everyones_messages=everyones_messages,
        dry_run=dry_run,
        asks=not dry_run and not yes,
        overflow=overflow,
    )
