"""
The commands, and how one of them is run.

Each command loads what it needs when it runs, and help is shown without typer's reading any
arguments, so that `--help` answers at once. Loading typer takes a tenth of a second; pydantic,
which it reads arguments with, takes three times that, and rich, which would colour the help, twice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

# Loaded so that their commands are registered.
from talkjs_async.cli import _bulk_commands, _record_commands, _tool_commands  # noqa: F401
from talkjs_async.cli._exit_codes import exit_code
from talkjs_async.cli._output import COMPLETION, PROGRAM, say, write
from talkjs_async.cli._typer_app import app, global_options, help_for
from talkjs_async.errors import TalkJSError

__all__ = ["PROGRAM", "app", "global_options", "run_command"]


def run_command(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    # A shell that asks what could come next gives no arguments; it gets no help.
    help_text = None if COMPLETION in os.environ else help_for(arguments)
    if help_text is not None:
        for line in help_text.splitlines():
            write(line)
        return 0
    try:
        app(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except TalkJSError as error:
        say(f"{PROGRAM}: {error}")
        return exit_code(error)
    except OSError as error:
        # A file that was named, in a way that no check has foreseen.
        name = f"{error.filename}: " if error.filename else ""
        say(f"{PROGRAM}: {name}{error.strerror or type(error).__name__}. Name another file.")
        return 2
    return 0
