"""The order of writes to one user or conversation."""

from __future__ import annotations

import anyio
import pytest

from talkjs_async.batch._write_order import WriteOrder

pytestmark = pytest.mark.anyio


def test_a_write_alone_waits_for_no_other_that_left_alone() -> None:
    writes = WriteOrder()

    assert [None, None] == [writes.begin_alone("/users/a"), writes.begin_alone("/users/a")]


def test_a_subject_is_busy_until_its_last_lone_write_has_ended() -> None:
    writes = WriteOrder()
    for _ in range(2):
        writes.begin_alone("/users/a")

    busy = [writes.is_busy("/users/a")]
    for _ in range(2):
        writes.end_alone("/users/a")
        busy.append(writes.is_busy("/users/a"))

    assert [True, True, False] == busy


def test_what_is_written_to_one_subject_says_nothing_of_another() -> None:
    writes = WriteOrder()
    writes.begin_alone("/users/a")
    writes.begin_batch(["/users/b"])

    assert [True, True, False] == [writes.is_busy(f"/users/{each}") for each in "abc"]


async def test_a_write_alone_waits_for_the_answer_to_the_batch_with_an_earlier_one() -> None:
    writes = WriteOrder()
    writes.begin_batch(["/users/a", None])
    turn = writes.begin_alone("/users/a")
    assert turn is not None
    with pytest.raises(anyio.WouldBlock):
        turn.acquire_nowait()

    writes.end_batch(["/users/a", None])

    turn.acquire_nowait()
    # It is under way itself now.
    assert writes.is_busy("/users/a")
    turn.release()
    writes.end_alone("/users/a")
    assert not writes.is_busy("/users/a")


async def test_a_subject_that_only_a_batch_writes_to_is_free_after_its_answer() -> None:
    writes = WriteOrder()

    writes.begin_batch(["/users/a", "/users/b"])
    busy = [writes.is_busy("/users/a"), writes.is_busy("/users/b")]
    writes.end_batch(["/users/a", "/users/b"])

    assert [True, True] == busy
    assert not writes.is_busy("/users/a")
    assert not writes.is_busy("/users/b")
    assert writes.begin_alone("/users/a") is None


async def test_all_who_wait_for_a_batch_leave_before_the_next_batch_writes() -> None:
    writes = WriteOrder()
    writes.begin_batch(["/users/a"])
    for _ in range(2):
        writes.begin_alone("/users/a")
    writes.end_batch(["/users/a"])

    writes.end_alone("/users/a")
    assert writes.is_busy("/users/a")
    writes.end_alone("/users/a")
    assert not writes.is_busy("/users/a")


def test_calls_that_need_no_order_hold_up_nothing() -> None:
    writes = WriteOrder()
    writes.begin_batch([None])

    assert writes.begin_alone(None) is None
    writes.end_batch([None])
    writes.end_alone(None)
