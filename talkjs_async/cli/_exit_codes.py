"""What the exit codes of the command line are."""

from __future__ import annotations

from typing import Final

from talkjs_async.errors import ConfigurationError, NotFound, TalkJSError

STOPPED: Final = 130
"""After Ctrl-C: 128 and the number of the signal, as shells have it."""


def exit_code(error: TalkJSError) -> int:
    """Return the exit code for what has gone wrong."""
    return 2 if isinstance(error, ConfigurationError | NotFound) else 3
