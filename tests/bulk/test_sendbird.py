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


ROOM = {"group_channels": [channel("room", "ann", "bob")]}


def export_of(tmp_path: Path, **files: Any) -> Path:
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def imported(emulator: Emulator) -> list[str | None]:
    return [commit.text for commit in emulator.commits.of("message.imported")]


@pytest.mark.anyio
@pytest.mark.parametrize("order", [("m1", "m2"), ("m2", "m1")])
async def test_what_any_file_says_was_removed_is_not_imported(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path, order: tuple[str, str]
) -> None:
    before, after = order
    there = [message(1, "room", "carol"), message(2, "room", "ann")]
    gone = [message(1, "room", "carol", is_removed=True), message(3, "room", "bob")]
    files = {before: {"messages": there}, after: {"messages": gone}}

    report = await migrate_sendbird(talkjs, export_of(tmp_path, channels=ROOM, **files))

    assert (True, ["text 2", "text 3"]) == (report.ok, imported(emulator))
    # Nothing of hers is left, so she is not made a user either.
    assert {"ann", "bob"} == {commit.user_id for commit in emulator.commits.of("user.created")}


@pytest.mark.anyio
@pytest.mark.parametrize("order", [("m1", "m2"), ("m2", "m1")])
async def test_of_two_versions_the_later_one_is_imported(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path, order: tuple[str, str]
) -> None:
    old = message(1, "room", "ann", message="old", updated_at=0)
    new = message(1, "room", "ann", message="new", updated_at=START + 9)
    files = {order[0]: {"messages": [old]}, order[1]: {"messages": [new]}}

    await migrate_sendbird(talkjs, export_of(tmp_path, channels=ROOM, **files))

    assert ["new"] == imported(emulator)


@pytest.mark.anyio
async def test_two_messages_with_one_id_are_not_taken_for_one(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    messages = [message(1, "room", "ann"), message(2, "room", "bob", message_id=1)]

    report = await migrate_sendbird(
        talkjs, export_of(tmp_path, channels=ROOM, m={"messages": messages})
    )

    (record,) = report.records("failed")
    assert (
        "m.json: number 2 of 'messages' has the message_id of another message, 1." == record.reason
    )
    assert ["text 1"] == imported(emulator)


@pytest.mark.anyio
async def test_records_without_an_id_fail_each_with_a_reason(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    nameless = [
        {k: v for k, v in message(n, "room", "ann").items() if k != "message_id"} for n in (1, 2)
    ]
    messages = [
        *nameless,
        message(3, "room", "ann", channel_url=None),
        message(4, "room", "ann", message_id="half \ud83d"),
        message(5, "room", "ann", message_id={}),
        message(6, "room", "ann", is_removed="no"),
        "text",
        message(7, "room", "ann"),
    ]
    room = channel("room", "ann", "bob")
    room["members"] += [{"nickname": "Eve"}]
    directory = export_of(
        tmp_path,
        users={"active_users": [user("ann"), {"nickname": "Eve"}, user("bob")]},
        channels={"group_channels": [room, channel("x", members="ann"), {"name": "nowhere"}]},
        messages={"messages": messages},
    )

    report = await migrate_sendbird(talkjs, directory)

    assert {
        "users.json: number 2 of 'active_users' has no user_id.",
        "channels.json: number 1 of 'group_channels' lists a member without a user_id.",
        "channels.json: number 2 of 'group_channels' has members that are no list.",
        "channels.json: number 3 of 'group_channels' has no channel_url.",
        "messages.json: number 1 of 'messages' has no message_id.",
        "messages.json: number 2 of 'messages' has no message_id.",
        "messages.json: number 3 of 'messages' has no channel_url.",
        "messages.json: number 4 of 'messages' has a message_id that is no ID.",
        "messages.json: number 5 of 'messages' has a message_id that is no ID.",
        "messages.json: number 6 of 'messages' has the is_removed 'no', not true or false.",
        "messages.json: number 7 of 'messages' is no object.",
    } == {record.reason for record in report.records("failed")}
    assert 11 == report.failed
    assert ["text 7"] == imported(emulator)


@pytest.mark.anyio
async def test_odd_times_fail_with_a_reason_and_the_good_one_is_stored(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    odd = [10**25, {}, 1_700_000_000, None, -5, "yesterday", True, 1e300]
    messages = [message(n, "room", "ann", created_at=time) for n, time in enumerate(odd)]
    messages.append(message(99, "room", "ann"))

    report = await migrate_sendbird(
        talkjs, export_of(tmp_path, channels=ROOM, m={"messages": messages})
    )

    reasons = [str(record.reason) for record in report.records("failed")]
    assert len(odd) == len(reasons)
    assert all(reason.startswith("created_at: ") for reason in reasons)
    assert ["text 99"] == imported(emulator)


@pytest.mark.anyio
async def test_values_that_are_no_text_are_refused_or_kept_as_json(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    users = [
        user("ann", metadata={"vip": True, "age": 7, "none": None, "tags": ["a"]}),
        user("bob", nickname={"first": "Bob"}),
    ]

    report = await migrate_sendbird(talkjs, export_of(tmp_path, users={"active_users": users}))

    ann = await talkjs.users.get("ann")
    assert {"vip": "true", "age": "7", "tags": '["a"]'} == dict(ann.custom)
    (bob,) = report.records("failed")
    assert ("user:bob", "name: must be text (str).") == (bob.id, bob.reason)


@pytest.mark.anyio
async def test_junk_files_are_passed_over_and_no_file_of_the_export_is(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    junk = b"\0\x05\x16\x07 Mac OS X \xff\xfe"
    for name in ("__MACOSX/._messages.json", "._m.json", ".cache/x.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(junk)
    (tmp_path / "MESSAGES.JSON").write_text(json.dumps({"messages": [message(1, "room", "ann")]}))

    report = await migrate_sendbird(talkjs, export_of(tmp_path, channels=ROOM))

    assert (True, ["text 1"]) == (report.ok, imported(emulator))


@pytest.mark.anyio
async def test_messages_of_one_millisecond_keep_the_order_of_their_numbers(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    together = [message(number, "room", "ann", created_at=START) for number in (10, 102, 9, 11)]

    report = await migrate_sendbird(
        talkjs, export_of(tmp_path, channels=ROOM, m={"messages": together})
    )

    assert report.ok
    assert ["text 9", "text 10", "text 11", "text 102"] == imported(emulator)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["messages.json.gz", "more/EXPORT.ZIP"])
async def test_what_is_packed_is_not_passed_over(
    talkjs: AsyncTalkJS, tmp_path: Path, name: str
) -> None:
    export_of(tmp_path, channels=ROOM)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"PK")

    with pytest.raises(ConfigurationError, match="is packed: unpack it first"):
        await migrate_sendbird(talkjs, tmp_path)


@pytest.mark.anyio
async def test_a_link_to_a_directory_of_the_export_is_followed(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    elsewhere, target = tmp_path / "elsewhere", tmp_path / "export"
    for folder in (elsewhere, target):
        folder.mkdir()
    (elsewhere / "m.json").write_text(json.dumps({"messages": [message(1, "room", "ann")]}))
    export_of(target, channels=ROOM)
    (target / "messages").symlink_to(elsewhere)
    # Round in a circle.
    (elsewhere / "back").symlink_to(target)

    report = await migrate_sendbird(talkjs, target)

    assert (True, ["text 1"]) == (report.ok, imported(emulator))


async def test_an_admin_message_becomes_a_system_message(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    chat = {"channel_url": "trip", "created_at": 1_767_225_600_000}
    messages = [
        {**chat, "type": "ADMM", "message_id": 1, "message": "Ann came"},
        {**chat, "type": "MESG", "message_id": 2, "message": "Hi", "user": {"user_id": "ann"}},
    ]
    (tmp_path / "messages.json").write_text(json.dumps({"messages": messages}))

    report = await migrate_sendbird(talkjs, tmp_path)

    found = [(m.type, m.text, m.sender_id) async for m in talkjs.messages.list("trip")]
    assert report.ok
    assert {("SystemMessage", "Ann came", None), ("UserMessage", "Hi", "ann")} == set(found)


async def test_whole_numbers_are_ids_in_sendbird_files_too(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    files = {
        "users": {"active_users": [{"user_id": 7, "nickname": "Ann"}]},
        "channels": {
            "group_channels": [{"channel_url": 70, "members": [{"user_id": 7}, {"user_id": 8}]}]
        },
        "messages": {
            "messages": [
                {"channel_url": 70, "type": "MESG", "message_id": number, "message": "Hi",
                 "created_at": 1_600_000_000_000, "user": {"user_id": number}}
                for number in (7, 9)
            ]
        },
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

    report = await migrate_sendbird(talkjs, tmp_path)

    assert [] == [record.reason for record in report.records("failed")]
    # The one who is no member any more has left.
    assert {"7", "8"} == {*(await talkjs.conversations.get("70")).participants}
    assert {"7", "9"} == {message.sender_id async for message in talkjs.messages.list("70")}


@pytest.mark.parametrize("depth", [20, 1_000, 20_000, 200_000])
async def test_a_user_who_is_nested_too_deep_fails_alone(
    talkjs: AsyncTalkJS, tmp_path: Path, depth: int
) -> None:
    # Brackets and quotes in texts mean nothing, wherever the file is cut for reading.
    text = json.dumps('}] \\" {[' * 9_000)
    deep = f'{{"user_id": "b", "nickname": "B", "x": {"[" * depth}{text}{"]" * depth}}}'
    users = ['{"user_id": "a", "nickname": "A"}', deep, '{"user_id": "c", "nickname": "C"}']
    (tmp_path / "users.json").write_text(f'{{"active_users": [{", ".join(users)}]}}')

    report = await migrate_sendbird(talkjs, tmp_path)

    there = {user.id async for user in talkjs.users.list()}
    assert {"a", "c"} <= there
    reasons = [record.reason for record in report.records("failed")]
    assert ([] if "b" in there else [_TOO_DEEP]) == reasons
    assert depth < 200_000 or "b" not in there


async def test_a_deep_user_that_never_ends_is_a_file_that_is_cut_off(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    (tmp_path / "users.json").write_text('{"active_users": [' + '{"a":[' * 100_000)

    with pytest.raises(ConfigurationError, match="is cut off"):
        await migrate_sendbird(talkjs, tmp_path)


_TOO_DEEP = "users.json: number 2 of 'active_users' is nested too deep."


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["messages", "group_channels", "active_users"])
async def test_records_in_an_object_are_not_passed_over(
    talkjs: AsyncTalkJS, directory: Path, emulator: Emulator, key: str
) -> None:
    (directory / "odd.json").write_text(json.dumps({key: {"1": message(1, "c1", "ann")}}))

    with pytest.raises(ConfigurationError, match=f"has something else than a list as its '{key}'"):
        await migrate_sendbird(talkjs, directory)

    assert 0 == emulator.commits.total


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.json", '{"data": {"messages": []}}', "m.json has none of the lists of a Sendbird exp"),
        ("m.json", "{}", "m.json has none of the lists of a Sendbird export"),
        ("m.json", '{"messages": "none"}', "m.json has something else than a list"),
        ("m.json", "[]", "m.json has '\\[' where '{' should be"),
        ("m.jsonl", "{}", "m.jsonl is no JSON: have Sendbird export JSON"),
        ("more/M.CSV", "", "M.CSV is no JSON: have Sendbird export JSON"),
    ],
)
async def test_a_file_of_another_form_is_not_passed_over(
    talkjs: AsyncTalkJS,
    directory: Path,
    emulator: Emulator,
    name: str,
    content: str,
    sentence: str,
) -> None:
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_text(content)

    with pytest.raises(ConfigurationError, match=sentence):
        await migrate_sendbird(talkjs, directory)

    assert 0 == emulator.commits.total


@pytest.mark.anyio
async def test_a_list_may_be_empty_or_null(talkjs: AsyncTalkJS, tmp_path: Path) -> None:
    export = export_of(
        tmp_path, channels=ROOM, none={"messages": None}, empty={"group_channels": []}
    )

    assert (await migrate_sendbird(talkjs, export)).ok


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"Messages": [message(2, "room", "ann")]}, "Messages"),
        ({"open_channels": [channel("open", "ann")]}, "open_channels"),
        ({"data": {"messages": [message(2, "room", "ann")]}}, "data.messages"),
        (
            {"group_channels": [channel("more", "ann", messages=[message(2, "more", "ann")])]},
            "group_channels[].messages",
        ),
    ],
)
async def test_records_where_they_are_not_looked_for_are_reported(
    talkjs: AsyncTalkJS, tmp_path: Path, content: dict[str, Any], name: str
) -> None:
    messages = [message(1, "room", "ann")]
    export = export_of(tmp_path, channels=ROOM, odd={"messages": messages, **content})

    report = await migrate_sendbird(talkjs, export)

    reason = f"odd.json: its list {name!r} is not one of"
    assert [reason] == [(one.reason or "")[: len(reason)] for one in report.records("failed")]
    assert "text 1" in {one.text async for one in talkjs.messages.list("room")}


@pytest.mark.anyio
@pytest.mark.parametrize("bad", [user("eve", profile_url=5), user("eve", nickname=5), user("..")])
async def test_a_user_who_cannot_be_stored_sinks_no_channel(
    talkjs: AsyncTalkJS, tmp_path: Path, bad: dict[str, Any]
) -> None:
    id_ = bad["user_id"]
    export = {
        "active_users": [user("ann"), bad],
        "group_channels": [channel("c1", "ann", id_)],
        "messages": [message(1, "c1", "ann"), message(2, "c1", id_), message(3, "c1", "ann")],
    }
    (tmp_path / "all.json").write_text(json.dumps(export))

    report = await migrate_sendbird(talkjs, tmp_path, settle=0)

    texts = [one.text async for one in talkjs.messages.list("c1")]
    assert (["text 3", "text 1"], {"ann"}) == (
        texts,
        set((await talkjs.conversations.get("c1")).participants),
    )
    failed = [record.id.partition(":")[0] for record in report.records("failed")]
    assert {"user", "message"} <= set(failed)
    assert 1 == failed.count("message")
    assert "conversation" not in failed


@pytest.mark.anyio
async def test_who_has_left_leaves_again_when_the_channel_is_stored_anew(
    talkjs: AsyncTalkJS, tmp_path: Path
) -> None:
    journal, file = tmp_path / "journal", tmp_path / "export" / "all.json"
    file.parent.mkdir()
    for name in ("Old", "New"):
        export = {
            "group_channels": [channel("c1", "ann", "bob", name=name)],
            "messages": [message(1, "c1", "ann"), message(2, "c1", "eve")],
        }
        file.write_text(json.dumps(export))

        report = await migrate_sendbird(talkjs, file.parent, journal=journal, settle=0)

        assert report.ok
        chat = await talkjs.conversations.get("c1")
        assert (name, {"ann", "bob"}) == (chat.subject, set(chat.participants))


@pytest.mark.anyio
@pytest.mark.parametrize("files", [("1.json", "2.json"), ("2.json", "1.json")])
@pytest.mark.parametrize("later", [START + 9, f"0{START + 9}", START + 9.0, START + 9.5])
async def test_the_later_version_is_told_however_its_time_is_written(
    talkjs: AsyncTalkJS, tmp_path: Path, files: tuple[str, str], later: Any
) -> None:
    versions = [("edited", later), ("first", 0)], [("edited", later), ("second", START + 5)]
    for number, both in enumerate(versions):
        for file, (text, edited_at) in zip(files, both, strict=True):
            export = {
                "messages": [message(number, "c1", "ann", message=text, updated_at=edited_at)]
            }
            (tmp_path / f"{number}-{file}").write_text(json.dumps(export))

    assert (await migrate_sendbird(talkjs, tmp_path, settle=0)).ok

    assert ["edited"] * 2 == [one.text async for one in talkjs.messages.list("c1")]


@pytest.mark.anyio
@pytest.mark.parametrize("edited_at", ["2020-01-01", True, [], -5, 1e300, "9" * 17])
async def test_a_version_without_a_time_that_can_be_told_fails(
    talkjs: AsyncTalkJS, tmp_path: Path, edited_at: Any
) -> None:
    export = {"messages": [message(1, "c1", "ann", updated_at=edited_at), message(2, "c1", "ann")]}
    (tmp_path / "all.json").write_text(json.dumps(export))

    report = await migrate_sendbird(talkjs, tmp_path, settle=0)

    (failed,) = report.records("failed")
    assert "all.json: number 1 of 'messages' has the updated_at" in str(failed.reason)
    assert ["text 2"] == [one.text async for one in talkjs.messages.list("c1")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", ["m.json.part", "m.json.crdownload", "M.JSON.download", "m.json.1"]
)
async def test_a_file_that_was_not_wholly_downloaded_is_not_passed_over(
    talkjs: AsyncTalkJS, directory: Path, name: str
) -> None:
    (directory / name).write_text('{"messages": [')

    with pytest.raises(ConfigurationError, match=f"{name} may be a file that was not wholly"):
        await migrate_sendbird(talkjs, directory)
