"""
The table of retries holds: on asyncio and trio, in process and over TCP.

`python -m tests.conformance.test_retries` writes it anew, from what happens in process; look at
every line that changes, and then run `python docs/retries.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket
from talkjs_async.emulator import Emulator, Limits, RealClock, Switches
from tests.conformance.operations import (
    OPERATIONS,
    POLICY,
    TABLE,
    TIMEOUT,
    Outcome,
    Row,
    carry_out,
    rows,
)
from tests.pairwise import pairwise

ROWS = rows() if TABLE.exists() else []
PAIRWISE = pairwise(Switches.choices())

SEQUENCES: list[tuple[str, ...]] = [
    (),
    ("refuse",),
    ("return-400",),
    ("return-429-retry-after-0",),
    ("return-500",),
    ("return-502-html",),
    ("return-503",),
    ("return-503", "return-503"),
    ("return-503",) * 4,
    ("return-503-after-commit",),
    ("drop-before-commit",),
    ("drop-after-commit",),
    ("drop-after-commit", "return-503"),
    ("reset-before-commit",),
    ("reset-after-commit",),
    ("stall-before-commit",),
    ("stall-after-commit",),
    ("truncate-after-commit",),
    ("truncated-json",),
    ("empty-200",),
    ("bad-gzip",),
    ("garbage",),
]


def in_process(emulator: Emulator) -> AsyncTalkJS:
    return AsyncTalkJS(**emulator.options, retry=POLICY, timeout=TIMEOUT)


@contextmanager
def served() -> Iterator[tuple[Emulator, str]]:
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    with emulator.serve() as server:
        yield emulator, server.base_url


def test_the_table_is_complete() -> None:
    assert {(name, faults) for name in OPERATIONS for faults in SEQUENCES} == {
        (row.operation, row.faults) for row in ROWS
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.operation}: {', '.join(row.faults)}")
def test_no_line_of_the_table_promises_what_must_not_be(row: Row) -> None:
    """What holds for any table: nothing lost, nothing doubled where a key forbids it."""
    outcome = row.outcome
    reading = row.operation in ("users.get", "users.list")

    assert 1 <= outcome.attempts <= POLICY.attempts
    if row.operation == "messages.send":
        assert outcome.commits <= 1
    if outcome.result == "ok":
        assert (outcome.commits == 0) is reading
    if outcome.result in ("BadRequest", "ServerError", "RateLimited") and not any(
        "after" in fault for fault in row.faults
    ):
        assert outcome.commits == 0


@pytest.mark.anyio
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_it_holds_in_process(operation: str) -> None:
    emulator = Emulator()
    for row in ROWS:
        if row.operation == operation:
            async with in_process(emulator) as talkjs:
                outcome = await carry_out(talkjs, emulator, operation, row.faults)
            assert (row.faults, row.outcome) == (row.faults, outcome)


@pytest.mark.harness
@pytest.mark.anyio
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_it_holds_over_tcp(operation: str) -> None:
    with served() as (emulator, base_url):
        for row in ROWS:
            if row.operation != operation or not row.over_tcp:
                continue
            # A budget of its own each: a 429 is remembered.
            talkjs = AsyncTalkJS(
                emulator.app_id,
                emulator.secret_key,
                base_url=base_url,
                budgets=OwnBudgets(TokenBucket()),
                retry=POLICY,
                timeout=TIMEOUT,
            )
            async with talkjs:
                outcome = await carry_out(talkjs, emulator, operation, row.faults)
            assert (row.faults, row.outcome) == (row.faults, outcome)


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(len(PAIRWISE)))
async def test_a_message_is_stored_once_whatever_talkjs_does_where_it_is_silent(
    number: int,
) -> None:
    setting = PAIRWISE[number]
    emulator = Emulator(switches=Switches(**setting))
    for row in ROWS:
        if row.operation == "messages.send":
            async with in_process(emulator) as talkjs:
                outcome = await carry_out(talkjs, emulator, row.operation, row.faults)
            expected = row.outcome.attempts, row.outcome.commits
            assert (row.faults, expected) == (row.faults, (outcome.attempts, outcome.commits))
            if setting["idempotent_repeat"] == "same_id":
                assert row.outcome == outcome


async def write() -> None:
    """Write the table."""
    emulator = Emulator()
    table: dict[str, list[tuple[tuple[str, ...], Outcome]]] = {}
    for operation in OPERATIONS:
        for faults in SEQUENCES:
            async with in_process(emulator) as talkjs:
                outcome = await carry_out(talkjs, emulator, operation, faults)
            table.setdefault(operation, []).append((faults, outcome))
    lines = [
        f"  {json.dumps(operation)}: [\n"
        + ",\n".join(
            f"    [{json.dumps(faults)}, "
            f"{json.dumps([outcome.attempts, outcome.result, outcome.commits])}]"
            for faults, outcome in outcomes
        )
        + "\n  ]"
        for operation, outcomes in table.items()
    ]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    anyio.run(write)
