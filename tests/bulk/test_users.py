from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, UserInput
from talkjs_async.bulk import BadRecord, upsert_users
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio


def users(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"u{number}", "name": f"User {number}", **fields} for number in range(count)]


async def test_a_hundred_users_go_with_one_request(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    report = await upsert_users(talkjs, users(1_001))

    assert (True, 1_001, 11) == (report.ok, report.done, report.requests)
    assert 11 == len(emulator.requests.find("PUT /users"))
    assert 1_001 == len(emulator.commits.of("user.created"))


async def test_users_may_be_mappings_pairs_or_models(talkjs: AsyncTalkJS) -> None:
    await talkjs.users.upsert("old", name="Old", email=["old@example.com"])
    model = await talkjs.users.get("old")

    await upsert_users(
        talkjs,
        [
            {"id": 7, "name": "Seven", "photoUrl": "p", "welcome_message": "w"},
            ("pair", UserInput(name="Pair")),
            ("8", {"name": "Eight"}),
            model,
        ],
    )

    seven = await talkjs.users.get("7")
    assert ("Seven", "p", "w") == (seven.name, seven.photo_url, seven.welcome_message)
    assert "Pair" == (await talkjs.users.get("pair")).name
    assert "Eight" == (await talkjs.users.get("8")).name
    assert ("old@example.com",) == (await talkjs.users.get("old")).email


async def test_a_mapping_and_an_async_source_will_do(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for user in users(250):
            yield user

    await upsert_users(talkjs, {"a": UserInput(name="A")})
    await upsert_users(talkjs, {"b": {"name": "B"}})
    report = await upsert_users(talkjs, source())

    assert (250, 3) == (report.done, report.requests)
    assert 252 == len(emulator.commits.of("user.created"))


async def test_a_pair_with_two_ids_is_no_user(talkjs: AsyncTalkJS) -> None:
    report = await upsert_users(talkjs, {"a": {"id": "b", "name": "B"}})

    (record,) = report.records("failed")
    assert "id: is given twice: with the fields, and among them." == record.reason


@pytest.mark.parametrize(
    ("naming", "requests"), [("reasons", 103), ("bare", 103), ("unnamed", 131)]
)
async def test_three_bad_users_in_ten_thousand_are_found_and_the_others_stored(
    talkjs: AsyncTalkJS, emulator: Emulator, naming: Any, requests: int
) -> None:
    emulator.switches.users_batch_errors = naming
    source = users(10_000)
    for number in (0, 5_555, 9_999):
        # A new user needs a name: only TalkJS can know which ones are new.
        del source[number]["name"]

    report = await upsert_users(talkjs, source)

    assert (9_997, 3) == (report.done, report.failed)
    why = "Some of the users are not valid." if naming == "unnamed" else "name: is required."
    assert dict.fromkeys(["u0", "u5555", "u9999"], f"refused with 400: {why}") == {
        record.id: record.reason for record in report.records("failed")
    }
    assert 9_997 == len(emulator.commits.of("user.created"))
    assert requests == len(emulator.requests)


async def test_bad_users_that_the_answer_does_not_name_are_found(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.switches.users_batch_errors = "unnamed"
    source = users(300)
    del source[42]["name"]

    report = await upsert_users(talkjs, source)

    assert (299, ["u42"]) == (report.done, [record.id for record in report.records("failed")])
    assert len(emulator.requests) <= 3 + 15


async def test_what_breaks_a_rule_is_reported_without_a_request(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    source: list[Any] = [
        {"id": "text", "name": "x", "email": "a@example.com"},
        {"id": "unknown", "nmae": "x"},
        {"id": "twice", "photo_url": "x", "photoUrl": "y"},
        {"name": "nobody"},
        {"id": "..", "name": "dots"},
        "alice",
        BadRecord(reason="line 7 is not JSON.", id=None),
    ]

    report = await upsert_users(talkjs, source)

    assert {
        "text": 'email: must be a collection of texts (str), as ["one", "two"]: no single text, '
        "and no None in it.",
        "unknown": "nmae: is no field (did you mean name?); the fields are name, email, phone, "
        "photo_url, welcome_message, locale, role, availability_text, custom, push_tokens, id.",
        "twice": "photoUrl: is given twice, also as photo_url.",
        "#4": "id: is missing.",
        "..": "id: must be an ID, not '..'.",
        "#6": "source: holds a str where a user should be.",
        "#7": "line 7 is not JSON.",
    } == {record.id: record.reason for record in report.records()}
    assert (7, 0) == (report.failed, len(emulator.requests))


async def test_the_second_user_of_an_id_is_refused_and_the_first_one_stored(
    talkjs: AsyncTalkJS,
) -> None:
    twice = [*users(150), {"id": "u3", "name": "Impostor"}, {"id": "u149", "name": "Impostor"}]

    report = await upsert_users(talkjs, twice)

    assert (150, 2) == (report.done, report.failed)
    assert [
        ("#151", 151, "the ID 'u3' came before, as record 4."),
        ("#152", 152, "the ID 'u149' came before, as record 150."),
    ] == [(record.id, record.number, record.reason) for record in report.records("failed")]
    assert "User 3" == (await talkjs.users.get("u3")).name


async def test_a_second_run_sends_only_what_has_changed(
    talkjs: AsyncTalkJS, emulator: Emulator, journal: Path
) -> None:
    first = await upsert_users(talkjs, users(300), journal=journal)
    changed = users(300)
    changed[7]["name"] = "Seven"
    changed.append({"id": "new", "name": "New"})

    second = await upsert_users(talkjs, changed, journal=journal)

    assert (300, 0) == (first.done, first.unchanged)
    assert (2, 299, 1) == (second.done, second.unchanged, second.requests)
    assert ["u7", "new"] == [record.id for record in second.records("done")]
    assert 299 == sum(1 for _ in second.records("unchanged"))


async def test_a_user_who_was_refused_gets_another_chance_in_the_next_run(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    nameless = [{"id": "u1", "locale": "nl"}]
    refused = await upsert_users(talkjs, nameless, journal=journal)
    await talkjs.users.upsert("u1", name="Now there is one")

    report = await upsert_users(talkjs, nameless, journal=journal)

    assert (1, 0) == (refused.failed, refused.done)
    assert (0, 1) == (report.failed, report.done)


async def test_an_early_end_of_the_source_is_the_source_s_own_error(
    talkjs: AsyncTalkJS, journal: Path
) -> None:
    def source() -> Any:
        yield from users(250)
        raise OSError("the database is gone")

    with pytest.raises(OSError, match="the database is gone"):
        await upsert_users(talkjs, source(), journal=journal)

    report = await upsert_users(talkjs, users(300), journal=journal)
    assert 300 == report.done


@pytest.mark.parametrize("source", ["users.csv", b"users", 7])
async def test_a_source_that_is_none_is_refused_at_once(talkjs: AsyncTalkJS, source: Any) -> None:
    with pytest.raises(ConfigurationError, match="source: must be an iterable of records"):
        upsert_users(talkjs, source)


async def test_a_negative_total_is_refused(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="total"):
        upsert_users(talkjs, iter(()), total=-1)
