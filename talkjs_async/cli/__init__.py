"""
`talkjs-async`, the command line.

It only draws what the library does. `main` is the entry point of the command and of
`python -m talkjs_async`; the rest is loaded when it is called, so that a program that never does
needs neither typer nor rich.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from talkjs_async.cli._exit_codes import STOPPED
from talkjs_async.cli._output import COMPLETION, PROGRAM, guarded_streams, say

__all__ = ["main", "run"]


def main() -> NoReturn:
    """Run the command line with the arguments of the process, and end the process."""
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """
    Run the command line.

    Args:
        arguments: Without the name of the program.

    Returns:
        The exit code: 0 all done; 1 some records failed; 2 wrong usage; 3 TalkJS cannot be reached
        or does not allow it, or the disk is full; 130 stopped by Ctrl-C.
    """
    if COMPLETION in os.environ:
        # Shells read tabs and other characters that a person's terminal must not get.
        return _run(arguments)
    with guarded_streams() as out:
        try:
            code = _run(arguments)
        except KeyboardInterrupt:
            # While it loads; from then on a command takes it.
            code = STOPPED
        out.flush()
        if out.failure is not None:
            reason = out.failure.strerror or type(out.failure).__name__
            say(f"{PROGRAM}: standard output: {reason}. What the command did is done.")
            code = code or 3
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        import typer  # noqa: F401, PLC0415

        from talkjs_async.cli.commands import run_command  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        say(f"{PROGRAM}: needs typer and rich: pip install 'talkjs-async[cli]'")
        return 2
    return run_command(arguments)
