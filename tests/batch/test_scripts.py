"""Whatever happens to batches, what each call says is what the commit log shows."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import anyio
import pytest

from talkjs_async import OutcomeUnknown
from tests.batch.scripts import MESSAGE, READ, Mode, perform, scripts

pytestmark = pytest.mark.harness

LONGEST = 4 if os.environ.get("TALKJS_HARNESSES") == "long" else 2
"""Outcomes of the longest script: 2 by default, 4 in `nox -s harnesses`."""

MODES = pytest.mark.parametrize("mode", ["batch", "overflow"])


@MODES
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_calls_say_is_what_the_commit_log_shows(backend: str, mode: Mode) -> None:
    lies: list[Any] = []

    async def perform_all() -> None:
        for script in scripts(LONGEST):
            told = await perform(mode, script)
            lies.extend(
                (script, name, outcome.lie()) for name, outcome in told.items() if outcome.lie()
            )

    anyio.run(perform_all, backend=backend)

    assert [] == lies


@MODES
@pytest.mark.parametrize(
    "script",
    [
        ("dropped after", "429", "429"),
        ("dropped after", "refused", "refused"),
        ("half", "429", "429"),
        ("empty", "429", "429"),
        ("silent", "member 429", "refused"),
    ],
)
def test_a_stored_message_whose_repeats_were_refused_is_unknown(
    mode: Mode, script: tuple[str, ...]
) -> None:
    told = anyio.run(partial(perform, mode, script))[MESSAGE]

    assert 1 == told.stored
    assert isinstance(told.said, OutcomeUnknown)
    assert 1 == len(told.said.idempotency_keys)
    assert not told.said.idempotency_keys[0].isspace()


@MODES
@pytest.mark.parametrize("first", ["dropped after", "503", "member 500", "half", "silent"])
def test_what_fails_in_the_users_code_hides_no_stored_message(mode: Mode, first: str) -> None:
    told = anyio.run(partial(perform, mode, (first, "bug", "ok")))

    assert [None] * len(told) == [each.lie() for each in told.values()]


def test_what_fails_in_the_users_code_is_not_ours_where_nothing_was_done() -> None:
    with pytest.raises(ValueError, match="a bug of the user's"):
        anyio.run(partial(perform, "batch", ("429", "bug", "ok")))


@MODES
def test_a_call_that_reads_is_never_carried_out_by_half(mode: Mode) -> None:
    told = anyio.run(partial(perform, mode, ("dropped after", "429")))[READ]

    assert told.said.maybe_done is False
