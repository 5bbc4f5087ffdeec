"""
Write `docs/reference/errors.md` from the tree of errors: `python docs/errors.py`.

A test compares the page with what this program would write; an error without a word on what to do
does not get past it.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

from talkjs_async import errors
from talkjs_async.bulk import errors as bulk_errors
from talkjs_async.errors import TalkJSError

PAGE = Path(__file__).with_name("reference") / "errors.md"

TITLE: Final = """\
# All errors: exceptions and what to do

Written by `python docs/errors.py` from the code; a test compares it with that.

Every error of this library is a `TalkJSError`; cancellation passes through. Attributes:
[error classes](api/errors.md). What to write in each situation:
[errors by situation](../how-to/errors.md). What is repeated before you see an error at all:
[retries](../explanation/retries.md).

Every error has `temporary` (it passes by itself), `retry_after` (seconds, where known),
`maybe_done` (the call may have been carried out all the same) and `headers` (of the answer).

| error | below | passes by itself | what it means | what to do |
|---|---|---|---|---|
"""

TO_DO: Final = {
    "TalkJSError": "Catch it where you catch everything of this library.",
    "ConfigurationError": "Fix the argument that it names; also a `ValueError`.",
    "RateLimitWaitTimeout": "Come back after `retry_after`, or raise *max_wait*; also a "
    "`TimeoutError`.",
    "LimiterUnavailable": "Come back later; look whether Redis runs, or who closed the budgets.",
    "TransportError": "Look at which of the two below it is.",
    "ConnectFailed": "Call again later: nothing happened at TalkJS. Check network, proxy and "
    "certificates.",
    "OutcomeUnknown": "A message: send it again with `error.idempotency_keys[0]`. Else look what "
    "is there before you repeat.",
    "APIError": "Look at `status`, `code` and `reasons`.",
    "BadRequest": "Read `reasons` and `reasons_by_key`; another attempt gets the same.",
    "Unauthorized": "Check TALKJS_SECRET_KEY and the clock: `talkjs-async doctor`.",
    "Forbidden": "Look at the plan and the settings of the app, and whether the sender takes part.",
    "NotFound": "Create it first, or go on without it; deletions take *missing_ok*.",
    "UnknownApp": "Check TALKJS_APP_ID, and whether test and live are mixed up.",
    "UnknownEndpoint": "Use another call: TalkJS does not have this inferred one. Tell us.",
    "RateLimited": "Come back after `retry_after`; find the other program that uses this app up.",
    "ServerError": "Call again later, with `maybe_done` in mind; tell TalkJS if it stays.",
    "DecodeError": "Update this library, or tell us `json_path`, `expected` and `got`.",
    "WebhookError": "Answer 400 and do nothing else.",
    "RecordsFailed": "Look at the records that it lists; run the job again when they are mended.",
    "StorageError": "Make room on the disk, or name another place; the same job goes on.",
}


def page() -> str:
    """Return the page."""
    kinds = [getattr(errors, name) for name in ["TalkJSError", *_others()]]
    kinds += [getattr(bulk_errors, name) for name in bulk_errors.__all__]
    return TITLE + "".join(map(_row, kinds))


def _others() -> list[str]:
    """The names in the order of the tree, which is that of the module."""
    order = {name: number for number, name in enumerate(vars(errors))}
    return sorted(set(errors.__all__) - {"TalkJSError"}, key=order.__getitem__)


def _row(kind: type[TalkJSError]) -> str:
    above = next(each for each in kind.__bases__ if issubclass(each, Exception)).__name__
    means = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    passes = "yes" if getattr(kind, "temporary", False) else "no"
    return f"| `{kind.__name__}` | `{above}` | {passes} | {means} | {TO_DO[kind.__name__]} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
