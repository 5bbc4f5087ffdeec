from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.bulk._engine.bisection import Bisection
from talkjs_async.errors import APIError, BadRequest, Unauthorized

pytestmark = pytest.mark.anyio


class Server:
    """Stores numbers, all of a request or none; refuses those in *bad*."""

    def __init__(self, bad: set[int], *, names: bool) -> None:
        self.bad = bad
        self.names = names
        self.stored: list[int] = []
        self.refused: dict[int, str] = {}
        self.requests = 0

    async def send(self, records: Sequence[int]) -> None:
        self.requests += 1
        wrong = [record for record in records if record in self.bad]
        if wrong:
            by_key: dict[str, tuple[str, ...]] = {}
            if self.names:
                by_key = {str(record): ("is bad",) for record in wrong}
            raise BadRequest(status=400, reasons_by_key=by_key)
        self.stored += records

    async def refuse(self, record: int, reason: str) -> None:
        self.refused[record] = reason

    def named(self, error: APIError, records: Sequence[int]) -> dict[int, str]:
        reasons = error.reasons_by_key
        return {i: reasons[str(r)][0] for i, r in enumerate(records) if str(r) in reasons}

    async def take_apart(self, count: int) -> None:
        apart: Bisection[int] = Bisection(
            send=self.send,
            refuse=self.refuse,
            is_refusal=lambda error: isinstance(error, BadRequest),
            named=self.named,
        )
        await apart.store(range(count))


async def test_named_records_cost_one_more_request() -> None:
    server = Server({3, 50, 99}, names=True)

    await server.take_apart(100)

    assert {3: "is bad", 50: "is bad", 99: "is bad"} == server.refused
    assert [number for number in range(100) if number not in server.bad] == server.stored
    assert 2 == server.requests


async def test_one_unnamed_record_among_a_hundred_costs_at_most_fifteen_requests() -> None:
    for bad in range(100):
        server = Server({bad}, names=False)

        await server.take_apart(100)

        assert {bad} == server.refused.keys()
        assert server.requests <= 15


async def test_records_that_are_all_bad_cost_at_most_two_requests_each() -> None:
    server = Server(set(range(100)), names=False)

    await server.take_apart(100)

    assert 100 == len(server.refused)
    assert server.requests < 200


async def test_what_is_left_goes_in_whole_requests_once_a_limit_is_known() -> None:
    class Small(Server):
        """Takes ten at a time, which is known when one was stored."""

        async def send(self, records: Sequence[int]) -> None:
            if len(records) > 10:
                self.requests += 1
                raise BadRequest(status=400)
            await super().send(records)

        def most(self) -> int | None:
            return 10 if self.stored else None

    server = Small({50}, names=False)

    apart: Bisection[int] = Bisection(
        send=server.send,
        refuse=server.refuse,
        is_refusal=lambda error: isinstance(error, BadRequest),
        named=server.named,
        most=server.most,
        alone=lambda: not server.stored,
    )
    await apart.store(range(100))

    assert [number for number in range(100) if number != 50] == server.stored
    assert {50} == server.refused.keys()
    # All, one, ten times ten or nine of the others, and the bad one out of its ten.
    assert server.requests <= 2 + 10 + 8


async def test_the_reason_is_the_answer_to_the_record_alone() -> None:
    server = Server({1}, names=False)

    await server.take_apart(2)

    assert {1: "refused with 400: no reason given"} == server.refused


async def test_an_answer_that_is_no_refusal_ends_it() -> None:
    class Closed(Server):
        async def send(self, records: Sequence[int]) -> None:
            raise Unauthorized(status=401)

    with pytest.raises(Unauthorized):
        await Closed(set(), names=False).take_apart(10)


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.booleans())
def test_the_good_ones_are_stored_in_order_and_the_bad_ones_refused(
    count: int, bad: set[int], names: bool
) -> None:
    server = Server(bad, names=names)

    anyio.run(server.take_apart, count)

    assert [number for number in range(count) if number not in bad] == server.stored
    assert {number for number in range(count) if number in bad} == server.refused.keys()
