from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.bulk import (
    BadRecord,
    export,
    import_messages,
    migrate_sendbird,
    read_conversations,
    read_messages,
    read_old_messages,
    read_users,
    restore,
    send_messages,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def users(path: Path, content: str | bytes) -> list[Any]:
    return list(read_users(written(path, content)))


def test_a_csv_file_has_lists_custom_data_and_empty_cells(tmp_path: Path) -> None:
    content = (
        "id,name,email,photoUrl,custom.plan,custom\n"
        'u1,Ann,a@x.org; b@x.org,,gold,"{""town"": ""Ghent""}"\n'
        'u2,"Bob, the second","[""b;c@x.org""]",p,,\n'
    )

    rows = users(tmp_path / "users.csv", content)

    assert [
        {
            "id": "u1",
            "name": "Ann",
            "email": ["a@x.org", "b@x.org"],
            "custom": {"plan": "gold", "town": "Ghent"},
        },
        {"id": "u2", "name": "Bob, the second", "email": ["b;c@x.org"], "photo_url": "p"},
    ] == rows


@pytest.mark.parametrize("cell", [" ", ";", " ; ;", "\t;"])
def test_a_list_of_blanks_leaves_its_field_as_it_is(tmp_path: Path, cell: str) -> None:
    content = f'id,email,phone\nu1,"{cell}",5\nu2,[],"{cell}"\n'

    rows = users(tmp_path / "users.csv", content)

    assert [{"id": "u1", "phone": ["5"]}, {"id": "u2", "email": []}] == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheets_of_all_kinds_can_be_read(
    tmp_path: Path, delimiter: str, newline: str
) -> None:
    lines = [["id", "name"], ["u1", "Zoë"], ["u2", "two\nlines"]]
    text = newline.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)

    rows = users(tmp_path / "users.csv", b"\xef\xbb\xbf" + text.encode())

    assert [{"id": "u1", "name": "Zoë"}, {"id": "u2", "name": "two\nlines"}] == rows


def test_json_lines_are_objects(tmp_path: Path) -> None:
    content = '{"id": "u1", "name": "Ann"}\n\n[1]\nnonsense\n{"id": "u2"}'

    rows = users(tmp_path / "users.jsonl", content)

    assert [
        {"id": "u1", "name": "Ann"},
        BadRecord(reason="line 3 is not a JSON object."),
        BadRecord(reason="line 4 is not JSON."),
        {"id": "u2"},
    ] == rows


def test_a_bad_row_is_a_bad_record_and_the_others_are_read(tmp_path: Path) -> None:
    content = (
        "id,name,email,custom\n"
        'u1,Ann,"[""a@x.org""",\n'
        "u2,Bob,b@x.org,[]\n"
        "u3,Eve\n"
        "u4,Joe,j@x.org,,more\n"
        "\n"
        "u6,Kim,,\n"
    )

    rows = users(tmp_path / "users.csv", content)

    assert [
        ("u1", "line 2 has a bad email: '[\"a@x.org\"' is no JSON list."),
        ("u2", "line 3 has a bad custom: '[]' is no JSON object."),
        ("u3", "line 4 has 2 cells, and the header has 4."),
        ("u4", "line 5 has 5 cells, and the header has 4."),
    ] == [(row.id, row.reason) for row in rows if isinstance(row, BadRecord)]
    assert {"id": "u6", "name": "Kim"} == rows[-1]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("", "'id' is missing"),
        ("name,email", "'id' is missing"),
        ("id,nmae", "'nmae' is unknown"),
        ("id,name,name", "'name' is there twice"),
        ("id,photo_url,photoUrl", "'photo_url' is there twice"),
        ("id,name.first", "'name.first' is unknown"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=f"wrong columns: .*{sentence}"):
        users(tmp_path / "users.csv", f"{header}\nu1,x,y\n")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("users.csv", 'id,name\nu1,Ann\nu2,"Bo', 3),
        ("users.csv", "id,name,role\nu1,Ann,x\nu2,Bo", 3),
        ("users.jsonl", '{"id": "u1"}\n{"id": "u', 2),
    ],
)
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, name: str, content: str, line: int
) -> None:
    with pytest.raises(ConfigurationError, match=rf"cut off: .* line {line}\b"):
        users(tmp_path / name, content)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "u2", "id": "u3"}', "has 'id' twice"),
        ("{'id': 'u2'}", "is not JSON"),
        ('{"id": "u2"},', "is not JSON"),
        ('{"id": "u2"} {"id": "u3"}', "is not JSON"),
        ('{"id": "u2", "custom": {"n": NaN}}', "has NaN, which is not JSON"),
    ],
)
def test_a_bad_last_line_is_not_said_to_end_in_its_middle(
    tmp_path: Path, line: str, problem: str
) -> None:
    words = f"may be cut off: its last line, 2, {problem}, and no line break ends it"
    with pytest.raises(ConfigurationError, match=words):
        users(tmp_path / "users.jsonl", f'{{"id": "u1"}}\n{line}')

    (bad,) = [
        row
        for row in users(tmp_path / "users.jsonl", f'{{"id": "u1"}}\n{line}\n')
        if isinstance(row, BadRecord)
    ]
    assert f"line 2 {problem}." == bad.reason


WHOLE = '{"id": "u2", "custom": {"a": "}]\\"{"}, "email": ["a", "b"]}'


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_any_beginning_of_a_line_is_cut_off(tmp_path: Path, length: int) -> None:
    with pytest.raises(ConfigurationError, match=r"cut off: .* line 2\b"):
        users(tmp_path / "users.jsonl", f'{{"id": "u1"}}\n{WHOLE[:length]}')


@pytest.mark.parametrize("name", ["users.csv", "users.jsonl"])
def test_a_file_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path, name: str) -> None:
    content = "id,name\nu1,Zoë\n".encode("latin-1")

    with pytest.raises(ConfigurationError, match="line 2 has the byte 0xeb at place 6"):
        users(tmp_path / name, content)


def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        read_users(tmp_path / "users.csv")
    with pytest.raises(ConfigurationError, match=r"name the file \.csv or \.jsonl"):
        read_users(written(tmp_path / "users.txt", "id\n"))
    with pytest.raises(ConfigurationError, match=r"users.csv.gz is unknown: unpack it first"):
        read_users(written(tmp_path / "users.csv.gz", "id\n"))
    with pytest.raises(ConfigurationError, match="is a directory: name a file in it"):
        read_users(tmp_path, format="csv")


def test_a_file_that_cannot_be_read_is_one_of_our_errors(tmp_path: Path) -> None:
    source = read_users(written(tmp_path / "users.csv", "id\nu1\n"))
    source.path.unlink()

    with pytest.raises(ConfigurationError, match="cannot be read"):
        source.check()
    assert "users.csv" in repr(source)


@pytest.mark.anyio
async def test_a_bad_file_is_refused_before_anything_is_sent(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    rows = "".join(f"u{number},x\n" for number in range(5_000))
    path = written(tmp_path / "users.csv", f"id,name\n{rows}u5000,\xff\n".encode("latin-1"))

    with pytest.raises(ConfigurationError, match="not UTF-8: line 5002"):
        await upsert_users(talkjs, read_users(path))

    assert 0 == len(emulator.requests)


@pytest.mark.anyio
async def test_files_of_everything_can_be_loaded(
    talkjs: AsyncTalkJS, emulator: Emulator, tmp_path: Path
) -> None:
    people = written(tmp_path / "users.csv", "id,name\na,Ann\nb,Bob\n")
    chats = written(
        tmp_path / "chats.jsonl", '{"id": "c", "participants": ["a", "b"], "photoUrl": "p"}\n'
    )
    old = written(
        tmp_path / "old.csv",
        "conversation_id,sender,text,sent_at,read_by\nc,a,hi,2020-01-01T00:00:00Z,b\n",
    )
    new = written(
        tmp_path / "new.csv", "conversationId,sender,text,type\nc,b,yo,\nc,,bye,SystemMessage\n"
    )

    reports = [
        await upsert_users(talkjs, read_users(people)),
        await upsert_conversations(talkjs, read_conversations(chats)),
        await import_messages(talkjs, read_old_messages(old)),
        await send_messages(talkjs, read_messages(new)),
    ]

    assert [2, 1, 1, 2] == [report.done for report in reports]
    messages = await talkjs.messages.list("c").collect()
    assert ["bye", "yo", "hi"] == [message.text for message in messages]
    assert ("b",) == messages[-1].read_by


@pytest.mark.parametrize(
    "path", ["a\0b", 7, None, b"users.csv"], ids=["NUL", "int", "None", "bytes"]
)
def test_what_can_be_no_path_is_refused(talkjs_of_none: AsyncTalkJS, path: Any) -> None:
    """Wherever one is taken."""
    ways: dict[str, Callable[[], object]] = {
        "path": lambda: read_users(path),
        "directory": lambda: migrate_sendbird(talkjs_of_none, path),
    }
    if path is not None:
        ways["journal"] = lambda: upsert_users(talkjs_of_none, [], journal=path)
    for argument, way in ways.items():
        with pytest.raises(ConfigurationError, match=f"{argument}: must be a path"):
            way()
    for job in export, restore:
        with pytest.raises(ConfigurationError, match="directory: must be a path"):
            job(talkjs_of_none, path)


@pytest.fixture
def talkjs_of_none() -> AsyncTalkJS:
    """A client that sends nothing."""
    return AsyncTalkJS("app", "sk_test_x")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
async def test_whole_numbers_are_ids_wherever_an_id_is(
    talkjs: AsyncTalkJS, tmp_path: Path, format: str
) -> None:
    def file(name: str, record: dict[str, Any]) -> Path:
        if format == "jsonl":
            return written(tmp_path / f"{name}.jsonl", json.dumps(record))
        return written(
            tmp_path / f"{name}.csv", ",".join(record) + "\n" + ",".join(map(str, record.values()))
        )

    user = file("users", {"id": 7, "name": "Ann"})
    chat = file("conversations", {"id": 70, "participants": [7]})
    sent = file("messages", {"conversationId": 70, "sender": 7, "text": "hi"})
    old = {"conversationId": 70, "sender": 7, "text": "old", "sentAt": 1_600_000_000_000}
    imported = file("imports", {**old, "readBy": [7]})

    reports = [
        await upsert_users(talkjs, read_users(user)),
        await upsert_conversations(talkjs, read_conversations(chat)),
        await send_messages(talkjs, read_messages(sent)),
        await import_messages(talkjs, read_old_messages(imported)),
    ]

    assert [[]] * 4 == [[one.reason for one in report.records("failed")] for report in reports]
    assert ["7"] == [*(await talkjs.conversations.get("70")).participants]
    assert {"7"} == {message.sender_id async for message in talkjs.messages.list("70")}


@pytest.mark.parametrize(
    "value", [True, 1.5, None, [7], {"7": 1}, pytest.param(10**5_000, id="long")]
)
async def test_what_is_no_whole_number_is_no_id(talkjs: AsyncTalkJS, value: object) -> None:
    await talkjs.users.upsert("7", name="Ann")

    report = await upsert_conversations(
        talkjs, [{"id": "a", "participants": [value]}, {"id": "b", "participants": [7]}]
    )

    assert (1, 1) == (report.done, report.failed)
    assert "participants" in str(next(iter(report.records("failed"))).reason)
