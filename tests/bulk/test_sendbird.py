from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, OutcomeUnknown, RetryPolicy
from talkjs_async.bulk import migrate_sendbird
from talkjs_async.emulator import Emulator, Limits
from tests.fixtures import MakeTalkJS

START = 1_700_000_000_000


def user(id_: str, **fields: Any) -> dict[str, Any]:
    return {"user_id": id_, "nickname": id_.title(), "profile_url": f"https://x/{id_}", **fields}


def channel(id_: str, *members: str, **fields: Any) -> dict[str, Any]:
    return {
        "channel_url": id_,
        "name": f"Chat {id_}",
        "cover_url": "https://x/cover",
        "members": [{"user_id": one, "name": one, "image": "https://x/image"} for one in members],
        **fields,
    }


def message(number: int, channel_id: str, sender: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "MESG",
        "message_id": number,
        "message": f"text {number}",
        "created_at": START + number,
        "channel_url": channel_id,
        "is_removed": False,
        "user": {"user_id": sender, "nickname": sender.title(), "metadata": {}},
        **fields,
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An export as it comes: several files, overlapping, newest first."""
    files: dict[str, Any] = {
        "users/1.json": {
            "active_users": [
                user("ann", metadata={"emailId": "ann@x.org", "plan": "gold"}),
                user("bob", nickname="", profile_url=""),
            ]
        },
        "channels/1.json": {
            "group_channels": [channel("c1", "ann", "bob"), channel("c2", "bob", "dan", name="")]
        },
        "messages/2.json": {
            "messages": [message(number, "c1", "ann") for number in range(40, 19, -1)],
            "channel": channel("c1", "ann", "bob"),
        },
        "messages/1.json": {
            "channel": {"channel_url": "c1"},
            "messages": [
                *(message(number, "c1", "bob") for number in range(20, -1, -1)),
                message(50, "c2", "carol", message="I have left"),
                message(51, "c2", "bob", is_removed=True),
                message(52, "c2", "bob", type="FILE", message=""),
                message(53, "c3", "bob"),
            ],
        },
    }
    for name, content in files.items():
        path = tmp_path / "sendbird" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path / "sendbird"


@pytest.mark.anyio
async def test_users_channels_and_messages_move(
    make_talkjs: MakeTalkJS, emulator: Emulator, directory: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs()

    report = await migrate_sendbird(talkjs, directory)

    assert [("message:52", "a message of type 'FILE' cannot be imported.")] == [
        (record.id, record.reason) for record in report.records("failed")
    ]
    ann, bob, carol = [await talkjs.users.get(id_) for id_ in ("ann", "bob", "carol")]
    assert ("Ann", ("ann@x.org",), {"plan": "gold"}) == (ann.name, ann.email, dict(ann.custom))
    assert ("https://x/ann", "bob", None) == (ann.photo_url, bob.name, bob.photo_url)
    assert "Carol" == carol.name
    c1, c2 = [await talkjs.conversations.get(id_) for id_ in ("c1", "c2")]
    assert ("Chat c1", "https://x/cover", None) == (c1.subject, c1.photo_url, c2.subject)
    # Carol took part while her message came, and left again.
    assert [{"ann", "bob"}, {"bob", "dan"}] == [set(c1.participants), set(c2.participants)]
    texts = [found.text for found in await talkjs.messages.list("c1").collect()]
    assert [f"text {number}" for number in range(40, -1, -1)] == texts
    (left,) = await talkjs.messages.list("c2").collect()
    assert ("carol", "I have left", START + 50) == (left.sender_id, left.text, left.created_at_ms)
    assert 1 == len(await talkjs.messages.list("c3").collect())


@pytest.mark.anyio
async def test_an_interrupted_migration_goes_on(
    make_talkjs: MakeTalkJS, emulator: Emulator, directory: Path, journal: Path
) -> None:
    emulator.limits = Limits.off()
    talkjs = make_talkjs(retry=RetryPolicy(attempts=1))
    for on, nth in (("PUT /conversations/*", 2), ("POST /import/conversations/*/messages", 3)):
        emulator.faults.add("drop-after-commit", on=on, nth=nth)
        with pytest.raises(OutcomeUnknown):
            await migrate_sendbird(talkjs, directory, journal=journal)

    report = await migrate_sendbird(talkjs, directory, journal=journal)

    assert (True, 1) == (report.complete, report.failed)
    assert 43 == len(emulator.commits.of("message.imported"))


@pytest.mark.anyio
async def test_a_directory_without_an_export_is_refused(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="is no directory"):
        await migrate_sendbird(talkjs, tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="no JSON files of a Sendbird export"):
        await migrate_sendbird(talkjs, tmp_path)
