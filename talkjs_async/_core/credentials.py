"""
App ID and secret key, as they come out of environments, files and copied dashboards.

Blanks, line breaks and a byte order mark at their ends are not theirs and are taken off. Never
shows a key.
"""

from __future__ import annotations

import os
import re
from typing import Final, NoReturn

from talkjs_async._core.wire import id_problem
from talkjs_async.errors import ConfigurationError

_NEVER_INSIDE: Final = re.compile(r"[\s\x00-\x1f\x7f\u200b\u2060\ufeff]")


def app_id_of(app_id: object) -> str:
    """Return the app ID: the given one, or that of the environment."""
    return _of("app_id", app_id, "TALKJS_APP_ID") or _missing("app_id", "TALKJS_APP_ID")


def secret_key_of(secret_key: object, *, needed: bool) -> str | None:
    """Return the secret key: the given one, or that of the environment."""
    try:
        key = _of("secret_key", secret_key, "TALKJS_SECRET_KEY")
    finally:
        # A traceback with local variables is a log too.
        del secret_key
    return key or (_missing("secret_key", "TALKJS_SECRET_KEY") if needed else None)


def _of(argument: str, given: object, variable: str) -> str | None:
    kind = None if given is None or isinstance(given, str) else type(given).__name__
    value = given if isinstance(given, str) and given else os.environ.get(variable, "")
    del given
    if kind is not None:
        del value
        raise ConfigurationError(argument, f"must be text (str), not {kind}.")
    value = value.strip().strip("\ufeff").strip()
    found = _NEVER_INSIDE.search(value)
    problem = id_problem(value) if value else None
    if found is not None:
        problem = (
            f"must not hold a blank, line break or invisible character ({found[0]!a}): "
            "copy it once more from the dashboard."
        )
        del found
    if problem is not None:
        del value
        raise ConfigurationError(argument, problem)
    return value or None


def _missing(argument: str, variable: str) -> NoReturn:
    raise ConfigurationError(
        argument, f"is missing: pass it or set {variable} (TalkJS dashboard, Settings)."
    )
