"""What the commands for bulk jobs do. Each ends the process with its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

from talkjs_async import bulk
from talkjs_async._core.call import path as path_of
from talkjs_async.bulk import Job, RecordFile, RecordFormat
from talkjs_async.cli._global_options import GlobalOptions
from talkjs_async.cli._job_runner import run_job
from talkjs_async.cli._output import say
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError


def upsert_users(
    options: GlobalOptions,
    file: Path,
    format: RecordFormat | None,
    journal: Path | None,
    *,
    dry_run: bool,
) -> None:
    """Create or change the users of a file."""
    source = bulk.read_users(file, format=format)
    # A request for a hundred users cannot be taken along.
    job = partial(bulk.upsert_users, dry_run=dry_run)
    _load(options, "users upsert", source, job, journal, overflow=False)


def upsert_conversations(
    options: GlobalOptions,
    file: Path,
    format: RecordFormat | None,
    journal: Path | None,
    *,
    dry_run: bool,
    overflow: bool,
) -> None:
    """Create or change the conversations of a file."""
    source = bulk.read_conversations(file, format=format)
    job = partial(bulk.upsert_conversations, dry_run=dry_run)
    _load(options, "conversations upsert", source, job, journal, overflow=overflow)


def import_messages(
    options: GlobalOptions,
    file: Path,
    format: RecordFormat | None,
    journal: Path | None,
    *,
    dry_run: bool,
    overflow: bool,
) -> None:
    """Import the old messages of a file."""
    source = bulk.read_old_messages(file, format=format)
    job = partial(bulk.import_messages, dry_run=dry_run)
    _load(options, "messages import", source, job, journal, overflow=overflow)


def send_messages(
    options: GlobalOptions,
    file: Path,
    format: RecordFormat | None,
    journal: Path | None,
    *,
    dry_run: bool,
    overflow: bool,
) -> None:
    """Send the messages of a file."""
    source = bulk.read_messages(file, format=format)
    job = partial(bulk.send_messages, dry_run=dry_run)
    _load(options, "messages send", source, job, journal, overflow=overflow)


def export(options: GlobalOptions, directory: Path, *, reactions: bool, dry_run: bool) -> None:
    """Export everything."""

    def job(talkjs: AsyncTalkJS) -> Job:
        return bulk.export(talkjs, directory, reactions=reactions, dry_run=dry_run)

    # It uses both budgets by itself.
    _run(options, f"export {directory.name}", job, overflow=False, has_journal=False)


def restore(
    options: GlobalOptions,
    directory: Path,
    journal: Path | None,
    *,
    into_existing: bool,
    dry_run: bool,
    overflow: bool,
) -> None:
    """Load an export. Before it goes into an app that has data, a person is asked."""
    notes = journal or _inside(directory, "restore", options)
    title = f"restore {directory.name}"

    def restore(*, existing: bool) -> NoReturn:
        def job(talkjs: AsyncTalkJS) -> Job:
            return bulk.restore(
                talkjs, directory, into_existing=existing, journal=notes, dry_run=dry_run
            )

        _run(options, title, job, overflow=overflow)

    try:
        restore(existing=into_existing)
    except ConfigurationError as error:
        if error.argument != "into_existing" or not _person_is_there(options):
            raise
        say(str(error))
        typer.confirm("Restore into it all the same?", abort=True, err=True)
    restore(existing=True)


def _person_is_there(options: GlobalOptions) -> bool:
    return not options.json and sys.stdin.isatty() and sys.stderr.isatty()


def migrate_sendbird(
    options: GlobalOptions, directory: Path, journal: Path | None, *, dry_run: bool, overflow: bool
) -> None:
    """Load Sendbird's export."""
    notes = journal or _inside(directory, "migrate", options)

    def job(talkjs: AsyncTalkJS) -> Job:
        return bulk.migrate_sendbird(talkjs, directory, journal=notes, dry_run=dry_run)

    _run(options, f"migrate sendbird {directory.name}", job, overflow=overflow)


def transfer(
    options: GlobalOptions,
    target: GlobalOptions,
    journal: Path | None,
    *,
    max_file_bytes: int,
    allow_loopback_files: bool,
    dry_run: bool,
    overflow: bool,
) -> None:
    """Copy an app into another one."""
    names = options.app_in_file_names(), target.app_in_file_names()
    notes = journal or Path(f"transfer.{names[0]}.{names[1]}.journal")

    def job(source: AsyncTalkJS, into: AsyncTalkJS) -> Job:
        return bulk.transfer(
            source,
            into,
            journal=notes,
            max_file_bytes=max_file_bytes,
            allow_loopback_files=allow_loopback_files,
            dry_run=dry_run,
        )

    title = f"transfer {names[0]} to {names[1]}"
    raise typer.Exit(run_job(target, title, job, overflow=overflow, source=options))


def anonymise(
    options: GlobalOptions,
    user: str,
    *,
    conversations: bool,
    everyones_messages: bool,
    dry_run: bool,
    asks: bool,
    overflow: bool,
) -> None:
    """Overwrite the data of a user, after a person has consented."""
    # What can be no ID needs no consent.
    path_of("", user_id=user)
    if asks:
        typer.confirm(f"Overwrite everything of {user!r} for good?", abort=True, err=True)

    def job(talkjs: AsyncTalkJS) -> Job:
        return bulk.anonymise_user(
            talkjs,
            user,
            conversations=conversations,
            everyones_messages=everyones_messages,
            dry_run=dry_run,
        )

    _run(options, f"anonymise {user}", job, overflow=overflow, has_journal=False)


def _run(
    options: GlobalOptions,
    title: str,
    make: Callable[[AsyncTalkJS], Job],
    *,
    overflow: bool,
    has_journal: bool = True,
) -> NoReturn:
    raise typer.Exit(run_job(options, title, make, overflow=overflow, has_journal=has_journal))


def _load(
    options: GlobalOptions,
    words: str,
    source: RecordFile,
    job: Callable[..., Job],
    journal: Path | None,
    *,
    overflow: bool,
) -> None:
    """Run a job over a file."""
    file = source.path
    # Two apps have two journals.
    notes = journal or file.with_name(f"{file.name}.{options.app_in_file_names()}.journal")

    def make(talkjs: AsyncTalkJS) -> Job:
        return job(talkjs, source, journal=notes)

    _run(options, f"{words} {file.name}", make, overflow=overflow)


def _inside(directory: Path, name: str, options: GlobalOptions) -> Path:
    return directory / f"{name}.{options.app_in_file_names()}.journal"
