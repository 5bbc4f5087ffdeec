"""
App ID and secret key, as they come out of environments, files and copied dashboards.

Blanks, line breaks and a byte order mark at their ends are not theirs and are taken off. Never
shows a key.
"""

from __future__ import annotations

import os
import re
from typing import Final, NoReturn

from talkjs_async._core.wire import id_problem, is_text
from talkjs_async.errors import ConfigurationError

_NEVER_INSIDE: Final = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
)
"""Blanks and invisible characters."""


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


def checked_app_id(app_id: object) -> str:
    """Return the app ID, without what stands around it."""
    return _checked("app_id", app_id) or _refuse("app_id", "must be a non-empty text (str).")


def checked_key(secret_key: object) -> str:
    """Return the secret key, without what stands around it."""
    try:
        key = _checked("secret_key", secret_key)
    finally:
        del secret_key
    return key or _refuse("secret_key", "must be a non-empty text (str).")


def checked_bearer(token: object) -> str:
    """Return what an *auth* says follows `Authorization: Bearer`, without what stands around it."""
    kind = type(token).__name__
    value = token.strip() if isinstance(token, str) else None
    del token
    if value is None:
        _refuse("auth", f"must return text (str) from bearer(now), not {kind}.")
    # What nearly all of them are; called once per attempt.
    if value and value.isascii() and value.isprintable() and " " not in value:
        return value
    value = value.strip("\ufeff").strip()
    if not value or _NEVER_INSIDE.search(value) or not is_text(value):
        del value
        _refuse(
            "auth",
            "must return a token from bearer(now) that a header can hold: not empty, and without "
            "blanks, line breaks, invisible characters and halves of surrogate pairs in it.",
        )
    return value


def _of(argument: str, given: object, variable: str) -> str:
    nothing = given is None or (isinstance(given, str) and not given)
    try:
        return _checked(argument, os.environ.get(variable, "") if nothing else given)
    finally:
        # A traceback with local variables is a log too.
        del given


def _checked(argument: str, given: object) -> str:
    kind = type(given).__name__
    value = given if isinstance(given, str) else None
    del given
    if value is None:
        _refuse(argument, f"must be text (str), not {kind}.")
    value = value.strip().strip("\ufeff").strip()
    found = _NEVER_INSIDE.search(value)
    problem = id_problem(value) if value else None
    if found is not None:
        problem = (
            f"must not hold a blank, line break or invisible character ({found[0]!a}): "
            "copy it once more from the dashboard."
        )
        del found
    elif argument == "app_id" and value in {".", ".."}:
        problem = f"must be an app ID, not {value!r}."
    if problem is not None:
        del value
        _refuse(argument, problem)
    return value


def _missing(argument: str, variable: str) -> NoReturn:
    _refuse(argument, f"is missing: pass it or set {variable} (TalkJS dashboard, Settings).")


def _refuse(argument: str, problem: str) -> NoReturn:
    raise ConfigurationError(argument, problem)
