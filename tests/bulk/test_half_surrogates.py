"""Half of a surrogate pair: values may hold it, what names something may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.bulk import (
    BadRecord,
    UserRecord,
    export,
    import_messages,
    read_users,
    restore,
    send_messages,
    upsert_users,
)
from talkjs_async.emulator import Emulator
from tests.bulk.conftest import Prepare
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

HALF = "\ud83d"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Users as JavaScript writes them."""
    path = tmp_path / "users.jsonl"
    lines = [
        {"id": "u1", "name": "Ann"},
        {"id": f"u2{HALF}", "name": "Ben"},
        {"id": "u3", "name": f"cut {HALF}", "custom": {"note": f"{HALF} too"}},
        {"id": "u4", "name": "Dee", f"x{HALF}": "1"},
        {"id": "u5", "name": "Eve", "photoUrl": f"https://x/{HALF}"},
        {"id": "u6", "name": "Fay", "custom": {f"x{HALF}": "1"}},
        {"id": "u7", "name": "Gus"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_records_are_stored_whose_values_have_it_and_fail_whose_names_have_it(
    talkjs: AsyncTalkJS, emulator: Emulator, file: Path, journal: Path
) -> None:
    report = await upsert_users(talkjs, read_users(file), journal=journal)

    assert (3, 4, True) == (report.done, report.failed, report.complete)
    assert ["#2", "u4", "u5", "u6"] == [record.id for record in report.records("failed")]
    no_id, no_field, no_url, no_key = [str(r.reason) for r in report.records("failed")]
    assert "line 2: id: must be valid Unicode: it holds half of a surrogate pair." == no_id
    assert no_field.startswith(r"line 4: x\ud83d: is no field")
    assert no_url.startswith("line 5: photo_url: must be text (str) of valid Unicode")
    assert no_key.startswith("line 6: custom: must map texts to texts")
    user = await talkjs.users.get("u3")
    assert (f"cut {HALF}", {"note": f"{HALF} too"}) == (user.name, dict(user.custom))


async def test_the_next_run_knows_it_again(talkjs: AsyncTalkJS, file: Path, journal: Path) -> None:
    await upsert_users(talkjs, read_users(file), journal=journal)

    report = await upsert_users(talkjs, read_users(file), journal=journal)

    assert (0, 3, 4) == (report.done, report.unchanged, report.failed)


async def test_a_bad_record_of_a_generator_may_have_it(talkjs: AsyncTalkJS) -> None:
    source: list[UserRecord] = [
        BadRecord(id=f"x{HALF}", reason=f"{HALF} is no address."),
        {"id": "u1", "name": "A"},
    ]

    report = await upsert_users(talkjs, source)

    (record,) = report.records("failed")
    assert ("#1", r"\ud83d is no address.") == (record.id, record.reason)
    assert 1 == report.done


@pytest.mark.parametrize("answer", ["keep", "replace", "reject"])
async def test_messages_are_sent_and_imported_whatever_talkjs_does_with_it(
    talkjs: AsyncTalkJS,
    emulator: Emulator,
    chat: Prepare,
    answer: Literal["keep", "replace", "reject"],
) -> None:
    await chat(1)
    emulator.switches.lone_surrogates = answer
    old = [
        {"conversation_id": "c0", "sender": "bob", "text": text, "sent_at": 1_700_000_000_000 + n}
        for n, text in enumerate(["one", f"two {HALF}", "three"])
    ]
    new = [{**message, "sender": "alice"} for message in old]
    for message in new:
        del message["sent_at"]

    reports = [await import_messages(talkjs, old), await send_messages(talkjs, new)]

    stored = {"keep": [f"two {HALF}"], "replace": ["two \ufffd"], "reject": []}[answer]
    assert [2 + len(stored)] * 2 == [report.done for report in reports]
    assert [1 - len(stored)] * 2 == [report.failed for report in reports]
    texts = [message.text for message in await talkjs.messages.list("c0").collect()]
    assert 2 * ["three", *stored, "one"] == texts


@pytest.mark.parametrize("field", ["id", "conversation_id", "sender", "idempotency_key"])
async def test_a_message_fails_alone_whose_ids_have_it(
    talkjs: AsyncTalkJS, chat: Prepare, field: str
) -> None:
    await chat(1)
    good = {"id": "m1", "conversation_id": "c0", "sender": "bob", "text": "x"}
    bad = {**good, "id": "m2", field: HALF}

    report = await send_messages(talkjs, [bad, good])

    assert (1, 1, True) == (report.done, report.failed, report.complete)


async def test_an_export_of_it_restores_equal(
    make_talkjs: MakeTalkJS, emulator: Emulator, chat: Prepare, tmp_path: Path
) -> None:
    talkjs = make_talkjs()
    await chat(1)
    await talkjs.users.upsert("alice", custom={"note": HALF})
    await talkjs.messages.send("c0", sender="bob", text=f"cut {HALF}")

    await export(talkjs, tmp_path / "backup")

    other = Emulator()
    async with AsyncTalkJS(
        other.app_id, other.secret_key, transport=other.transport, clock=other.clock
    ) as target:
        report = await restore(target, tmp_path / "backup")
        (message,) = await target.messages.list("c0").collect()
        user = await target.users.get("alice")
    assert (True, f"cut {HALF}", HALF) == (report.ok, message.text, user.custom["note"])
