"""Events and the hooks that see them."""

from __future__ import annotations

import logging

import pytest

from talkjs_async.telemetry import AttemptEnded, RetryScheduled, emit, log_events


def attempt(error: str | None = None) -> AttemptEnded:
    return AttemptEnded(
        method="GET", path="/users/a", attempt=1, status=200, error=error, waited=0.0, elapsed=0.1
    )


RETRY = RetryScheduled(method="GET", path="/users/a", attempt=1, delay=0.2, error="ServerError")


@pytest.mark.parametrize(
    ("event", "level"),
    [(attempt(), logging.DEBUG), (attempt("NotFound"), logging.WARNING), (RETRY, logging.WARNING)],
    ids=["success", "failure", "retry"],
)
def test_failures_are_logged_louder_than_successes(
    event: AttemptEnded | RetryScheduled, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="talkjs_async")

    log_events(event)

    assert [("talkjs_async", level, str(event))] == caplog.record_tuples


def test_every_hook_sees_the_event_even_if_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[object] = []

    def broken(event: object) -> None:
        raise RuntimeError("observer")

    emit([broken, seen.append], RETRY)

    assert [RETRY] == seen
    assert "A hook failed on RetryScheduled" in caplog.text
