"""What a source no longer has: told only where it can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.bulk import (
    BadRecord,
    UserRecord,
    anonymise_vanished,
    read_users,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio


def users(*numbers: int) -> list[UserRecord]:
    return [{"id": f"u{n}", "name": f"User {n}"} for n in numbers]


async def test_what_earlier_runs_have_sent_and_the_source_no_longer_has_is_named(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    await upsert_users(talkjs, users(1, 2, 3, 4), journal=journal)
    changed: list[UserRecord] = [*users(1), {"id": "u2", "name": "Two"}, {"id": "u3", "name": 3}]

    report = await upsert_users(talkjs, changed, journal=journal)

    # u3 is refused, and there all the same.
    assert (1, 1, 1, ["u4"]) == (
        report.done,
        report.unchanged,
        report.failed,
        list(report.vanished()),
    )


async def test_a_first_run_has_nothing_that_vanished(talkjs: AsyncTalkJS, journal: Path) -> None:
    report = await upsert_users(talkjs, users(1, 2), journal=journal)

    assert () == await anonymise_vanished(talkjs, report)


@pytest.mark.parametrize("bad", [{"name": "no ID"}, BadRecord(reason="unreadable"), users(1)[0]])
async def test_a_record_without_an_id_may_be_any(
    talkjs: AsyncTalkJS, journal: Path, bad: Any
) -> None:
    await upsert_users(talkjs, users(1, 2), journal=journal)

    report = await upsert_users(talkjs, [*users(1), bad], journal=journal)

    with pytest.raises(ConfigurationError, match="record 2 of the source has no ID of its own"):
        list(report.vanished())


@pytest.mark.parametrize("row", ["Two, Mr,u2", "u2", "Two,u2,,x"])
async def test_an_id_that_may_be_in_another_column_is_none(
    talkjs: AsyncTalkJS, journal: Path, row: str
) -> None:
    await upsert_users(talkjs, users(1, 2), journal=journal)
    file = journal.with_name("users.csv")
    file.write_text(f"name,id\n{row}\nUser 1,u1\n")

    report = await upsert_users(talkjs, read_users(file), journal=journal)

    assert (1, 1) == (report.unchanged, report.failed)
    with pytest.raises(ConfigurationError, match="record 1 of the source has no ID of its own"):
        await anonymise_vanished(talkjs, report, max_share=1.0)


async def test_a_row_without_a_cell_takes_no_place_of_another_record(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    file = journal.with_name("users.csv")
    file.write_text(
        "name,id,locale\nTwo,u2\nx,User 1,u1,de\nUser 1,u1,de\nu3,Ann,de,x\nEve,Ann,de\n"
    )

    report = await upsert_users(talkjs, read_users(file), journal=journal)

    assert ["u1", "Ann"] == [record.id for record in report.records("done")]


async def test_a_run_that_was_stopped_knows_nothing(talkjs: AsyncTalkJS, journal: Path) -> None:
    await upsert_users(talkjs, users(1, 2), journal=journal)
    job = upsert_users(talkjs, users(1), journal=journal)
    job.stop()

    report = await job

    with pytest.raises(ConfigurationError, match="a source that was read to its end"):
        list(report.vanished())


async def test_the_report_of_an_earlier_run_is_no_basis(talkjs: AsyncTalkJS, journal: Path) -> None:
    await upsert_users(talkjs, users(1, 2), journal=journal)
    report = await upsert_users(talkjs, users(1), journal=journal)
    await upsert_users(talkjs, users(1, 2), journal=journal)

    with pytest.raises(ConfigurationError, match="latest run"):
        await anonymise_vanished(talkjs, report, max_share=1)


async def test_a_temporary_journal_knows_nothing(talkjs: AsyncTalkJS) -> None:
    report = await upsert_users(talkjs, users(1))

    with pytest.raises(ConfigurationError, match="a journal that stays"):
        list(report.vanished())
    with pytest.raises(ConfigurationError, match="with a journal"):
        await anonymise_vanished(talkjs, report)


async def test_other_jobs_have_no_users_to_anonymise(talkjs: AsyncTalkJS, journal: Path) -> None:
    await talkjs.users.upsert("u1", name="A")
    chats = await upsert_conversations(talkjs, [{"id": "c"}], journal=journal)
    other = await send_messages(talkjs, [], journal=journal.with_name("other"))

    for report in (chats, other):
        with pytest.raises(ConfigurationError, match="must be that of upsert_users"):
            await anonymise_vanished(talkjs, report, max_share=1)


@pytest.mark.parametrize("max_share", [-0.1, 1.1, float("nan")])
async def test_a_share_is_a_share(talkjs: AsyncTalkJS, journal: Path, max_share: float) -> None:
    report = await upsert_users(talkjs, users(1), journal=journal)

    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        await anonymise_vanished(talkjs, report, max_share=max_share)


async def test_a_user_who_is_not_at_talkjs_is_forgotten(
    talkjs: AsyncTalkJS, journal: Path, emulator: Emulator
) -> None:
    await upsert_users(talkjs, [*users(1, 2), {"id": "u3"}], journal=journal)

    report = await upsert_users(talkjs, users(1), journal=journal)
    gone = await anonymise_vanished(talkjs, report, max_share=0.8)

    # u3 was refused for want of a name.
    assert ("u2", "u3") == gone
    assert [] == list((await upsert_users(talkjs, users(1), journal=journal)).vanished())
