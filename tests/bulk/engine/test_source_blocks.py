from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import pytest

from talkjs_async import AsyncTalkJS, Unauthorized
from talkjs_async.bulk import Job, Progress, upsert_users
from talkjs_async.emulator import Emulator
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


def users(count: int) -> Iterator[dict[str, Any]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(count))


async def watch(job: Job) -> list[Progress]:
    async with job:
        return [progress async for progress in job]


async def test_a_list_knows_its_total(talkjs: AsyncTalkJS) -> None:
    seen = await watch(upsert_users(talkjs, list(users(300))))

    assert {300} == {progress.total for progress in seen if progress.done}


async def test_an_async_generator_is_closed_when_the_job_ends_early(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-401", on="PUT /users", nth=1)
    closed = False

    async def source() -> AsyncIterator[dict[str, Any]]:
        nonlocal closed
        try:
            for user in users(100_000):
                yield user
        finally:
            closed = True

    with pytest.raises(Unauthorized):
        await upsert_users(make_talkjs(), source())

    assert closed


def one_row_for_all() -> Iterator[dict[str, Any]]:
    row: dict[str, Any] = {"custom": {}, "email": []}
    for number in range(3):
        row["id"], row["name"] = f"u{number}", f"n{number}"
        row["custom"]["number"] = str(number)
        row["email"][:] = [f"{number}@example.com"]
        yield row


def one_pair_for_all() -> Iterator[tuple[str, dict[str, Any]]]:
    for row in one_row_for_all():
        yield row.pop("id"), row


async def asynchronously(rows: Iterator[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


@pytest.mark.parametrize("reads", [iter, asynchronously])
@pytest.mark.parametrize("rows", [one_row_for_all, one_pair_for_all])
async def test_a_source_may_fill_one_row_anew_for_each_record(
    talkjs: AsyncTalkJS, rows: Callable[[], Iterator[Any]], reads: Callable[[Any], Any]
) -> None:
    report = await upsert_users(talkjs, reads(rows()))

    stored = [
        (user.id, user.name, dict(user.custom), user.email) async for user in talkjs.users.list()
    ]
    assert report.ok
    assert [
        (f"u{number}", f"n{number}", {"number": str(number)}, (f"{number}@example.com",))
        for number in (2, 1, 0)
    ] == stored


async def test_a_row_that_is_nested_too_deep_fails_alone(talkjs: AsyncTalkJS) -> None:
    row: dict[str, Any] = {"id": "round", "name": "R"}
    row["custom"] = row

    report = await upsert_users(talkjs, [row, *users(2)])

    assert (2, 1) == (report.done, report.failed)


class Row(NamedTuple):
    id: str
    custom: dict[str, str]


async def test_a_named_tuple_is_not_taken_for_an_id_and_its_fields(talkjs: AsyncTalkJS) -> None:
    report = await upsert_users(talkjs, [Row("u1", {"name": "Gold"})])

    assert (0, 1) == (report.done, report.failed)
