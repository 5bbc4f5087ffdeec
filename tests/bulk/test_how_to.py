"""The page about bulk jobs does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.bulk import BadRecord, upsert_users
from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bulk.md"


@pytest.fixture
def page(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the page defines, with clients that talk to the emulator, in an empty directory."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)

    def client(*credentials: str, **options: Any) -> AsyncTalkJS:
        ours = credentials or (emulator.app_id, emulator.secret_key)
        return AsyncTalkJS(*ours, transport=emulator.transport, clock=emulator.clock, **options)

    monkeypatch.chdir(tmp_path)
    names["AsyncTalkJS"] = client
    return names


async def test_users_are_synced_and_the_bad_ones_named(
    page: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    customers: list[dict[str, Any]] = [
        {"id": f"u{n}", "name": "A", "mail": "a@x.org"} for n in range(250)
    ]
    customers[7]["name"] = None

    report = await page["sync"](customers)
    page["complain"](report)

    counts, reason = capsys.readouterr().out.splitlines()
    assert "249 stored, 1 refused, 0 unknown" == counts
    assert reason.startswith("record 8, u7: name: must be text")


async def test_messages_are_sent_once(
    page: dict[str, Any], emulator: Emulator, talkjs: AsyncTalkJS
) -> None:
    await talkjs.users.upsert("shop", name="Shop")
    await talkjs.conversations.upsert("c", participants=["shop"])
    orders = [{"id": n, "conversation": "c"} for n in range(25)]

    first, second = await page["announce"](orders), await page["announce"](orders)

    assert (25, 25) == (first.done, second.unchanged)
    assert 25 == len(emulator.commits.of("message.sent"))


async def test_a_job_can_be_watched(
    page: dict[str, Any], talkjs: AsyncTalkJS, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await page["watched"](talkjs, ({"id": f"u{n}", "name": "x"} for n in range(10_000)))

    assert report.ok
    assert capsys.readouterr().out.endswith("10000 of 10000, 0 s left\n")


def write_files() -> None:
    Path("users.csv").write_text("id,name\na,Ann\n")
    Path("chats.jsonl").write_text('{"id": "c", "participants": ["a"]}\n')
    Path("old.csv").write_text("conversation_id,sender,text,sent_at\nc,a,hi,2020-01-01T00:00:00Z\n")


async def test_files_are_loaded(page: dict[str, Any], emulator: Emulator) -> None:
    write_files()

    await page["from_files"]()

    assert ["hi"] == [commit.text for commit in emulator.commits.of("message.imported")]


async def test_a_generator_converts_anything(page: dict[str, Any], talkjs: AsyncTalkJS) -> None:
    rows = [{"key": "a", "name": "A", "mail": "a@x.org"}, {"key": "b", "name": "B", "mail": "b"}]

    source = list(page["from_our_crm"](rows))
    report = await upsert_users(talkjs, source)

    assert BadRecord(id="b", reason="'b' is no address.") == source[1]
    assert (1, 1) == (report.done, report.failed)


async def test_a_backup_can_be_loaded_into_another_app(
    page: dict[str, Any], talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.users.upsert("a", name="Ann")
    await talkjs.conversations.upsert("c", participants=["a"])
    await talkjs.messages.send("c", sender="a", text="hi")

    await page["backup"]("backup")
    credentials = emulator.app_id, emulator.secret_key
    emulator.reset()
    report = await page["load"]("backup", *credentials)

    assert report.ok
    assert ["hi"] == [message.text for message in await talkjs.messages.list("c").collect()]


async def test_a_user_is_forgotten(
    page: dict[str, Any], talkjs: AsyncTalkJS, capsys: pytest.CaptureFixture[str]
) -> None:
    await talkjs.users.upsert("a", name="Ann")

    report = await page["forget"]("a")

    assert "['user a']\n" == capsys.readouterr().out
    assert (True, "[DELETED]") == (report.ok, (await talkjs.users.get("a")).name)


async def test_two_jobs_run_side_by_side(page: dict[str, Any], emulator: Emulator) -> None:
    talkjs = page["AsyncTalkJS"]()

    await page["both"](talkjs, [{"id": "a", "name": "A"}], [{"id": "c"}])

    kinds = {commit.kind for commit in emulator.commits}
    assert {"user.created", "conversation.created"} <= kinds
    await talkjs.aclose()


async def test_a_plan_is_printed(
    page: dict[str, Any], emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    talkjs = page["AsyncTalkJS"]()

    await page["plan"](talkjs, [{"id": f"u{n}", "name": "A"} for n in range(250)])

    assert "250 users, 3 requests\n0 s by the budget\n" == capsys.readouterr().out
    assert 0 == len(emulator.commits)
    await talkjs.aclose()


def test_the_table_says_what_the_background_lane_takes() -> None:
    reserve = 30

    assert "| 100,000 users | 3.1 h | 48 s |" in PAGE.read_text()
    assert 48 == round((100_000 / 100 - (600 - reserve)) / 9)
