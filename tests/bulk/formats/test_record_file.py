"""Files as people have them: what is in doubt is refused, what means nothing is passed over."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.bulk import (
    BadRecord,
    import_messages,
    read_messages,
    read_old_messages,
    read_users,
    upsert_users,
)
from talkjs_async.bulk._record_types.users import USER_FIELDS
from talkjs_async.bulk.formats._json_arrays import items_of
from talkjs_async.bulk.formats.record_file import RecordFile
from talkjs_async.emulator import Emulator


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the test writes its CSV."""
    return tmp_path / "x.csv"


def users(file: Path, content: str) -> list[Any]:
    file.write_text(content, newline="")
    return list(read_users(file))


def messages(file: Path, content: str) -> list[Any]:
    file.write_text(content, newline="")
    return list(read_messages(file))


def reasons(rows: list[Any]) -> list[str]:
    return [row.reason for row in rows if isinstance(row, BadRecord)]


DAMAGED_QUOTES = {
    "escaped by backslashes": (
        'conversation_id,sender,text\nroom,ann,"Say \\"hi\\"\nroom,ben,not his\nthe end"\n',
        2,
    ),
    "never closed": ('id,name\nu1,Ann\nu2,"Ben\n' + "u3,x\n" * 30, 3),
    "closed by another cell's": ('id,name\nu1,Ann\nu2,"Ben\nu3,x\nu4,"Cas"\nu5,Dee\n', 3),
    "closed before the end": ('id,name\nu1,"Ann"x\nu2,Ben\n', 2),
    "opened in the middle": ('id,name\nu1,Ann "the cat" Cole\n', 2),
    "opened behind a space": ('id,name\nu1, "Ann"\n', 2),
    "only the closing one": ('id,name\nu1,Ann"\nu2,Ben"\n', 2),
    "in a cell that ends a record of several lines": ('id,name\nu1,"a\nb"c\n', 2),
    "in the header": ('id,"na"me\nu1,Ann\n', 1),
    "in the header, never closed": ('id,"name\nu1,Ann\n', 1),
}


@pytest.mark.parametrize(("content", "line"), DAMAGED_QUOTES.values(), ids=DAMAGED_QUOTES.keys())
def test_quotes_that_do_not_match_refuse_the_file_and_name_the_line(
    file: Path, content: str, line: int
) -> None:
    with pytest.raises(ConfigurationError, match=rf"quotes that do not match.* line {line}\b"):
        messages(file, content) if content.startswith("conv") else users(file, content)


def test_quotes_escaped_by_backslashes_are_recognised(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="as MySQL writes it"):
        users(file, 'id,name\nu1,"a \\"b\\" c"\n')


def test_a_cell_may_be_longer_than_python_reads_by_default(file: Path) -> None:
    long = "x" * 200_000 + '"' + "\n" * 3

    rows = users(file, 'id,welcome_message\nu1,"{}"\n'.format(long.replace('"', '""')))

    assert [{"id": "u1", "welcome_message": long}] == rows


def test_a_record_without_an_end_is_not_read_into_memory(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2 is over 16,777,216 characters"):
        users(file, "id\n" + "x" * (1 << 24))


def test_the_header_is_read_as_every_other_record_is(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'name\\n\(full\)' is unknown .*mean name"):
        users(file, 'id,"name\n(full)",email\nu1,Ann,ann@example.com\n')
    assert [{"id": "u1", "name": "Ann"}] == users(file, '"id";"name"\n"u1";"Ann"\n')
    assert [{"id": "u1", "custom": {"a,b,c": "x"}}] == users(file, 'id;"custom.a,b,c"\nu1;x\n')


@pytest.mark.parametrize(
    "content",
    [
        "id,name,,\nu1,Ann,,\nu2,Ben,,\n",
        "id,,name\nu1,,Ann\nu2, ,Ben\n",
        "id;name\nu1;Ann\n;\n;\nu2;Ben\n;\n",
        "id,name\nu1,Ann,,,\n\n , \nu2,Ben\n\n\n",
        "\n\nid,name\nu1,Ann\nu2,Ben\n",
        ";;\n\nid;name;\nu1;Ann;\nu2;Ben;\n",
        '"",""\nid,name\nu1,Ann\n"",""\nu2,Ben',
        "id,name\r\nu1,Ann\r\n\r\nu2,Ben\r\n",
        "id,name\ru1,Ann\ru2,Ben\r",
    ],
)
def test_empty_columns_rows_and_lines_mean_nothing(file: Path, content: str) -> None:
    assert [{"id": "u1", "name": "Ann"}, {"id": "u2", "name": "Ben"}] == users(file, content)


def test_a_cell_below_no_title_is_not_dropped_in_silence(file: Path) -> None:
    rows = users(file, "id,name,\nu1,Ann,rest\nu2,Ben,\n")

    assert ["line 2 has a value in column 3, which has no title."] == reasons(rows)


@pytest.mark.parametrize(
    ("header", "guesses"),
    [
        ("user_id,full name,Email", ["'user_id'", "id", "'full name'", "name", "'Email'", "email"]),
        ("ID,firstName,PhotoURL", ["'ID'", "id", "'firstName'", "name", "'PhotoURL'", "photo_url"]),
        ("id,nmae,e-mail", ["'nmae'", "name", "'e-mail'", "email"]),
        ("id,email address,phone_no", ["'email address'", "email", "'phone_no'", "phone"]),
    ],
)
def test_a_wrong_header_says_which_column_is_meant(
    file: Path, header: str, guesses: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        users(file, f"{header}\n1,Ann,a\n")

    for title, field in zip(guesses[::2], guesses[1::2], strict=True):
        assert f"{title} is unknown (did you mean {field}?)" in str(caught.value)
    assert "'' is" not in str(caught.value)


def test_of_two_fields_in_a_title_the_first_is_meant(file: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"'sender_id' is unknown \(did you mean sender\?\)"
    ):
        messages(file, "conversationId,sender_id,text\nroom,ann,hi\n")


def test_a_title_that_resembles_no_field_gets_no_guess(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="'zzz' is unknown\\. The columns are"):
        users(file, "id,zzz\nu1,x\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("id,name\nu1,\\N\n", "line 2 has a bad name: \\N stands for no value"),
        ("id,name\nu1,A\0nn\n", "line 2 holds a NUL"),
        ("id,name\nu1,A\rnn\n", "line 2 holds a line break that is not in quotes"),
        ('id,custom.a,custom\nu1,x,"{""a"":""y""}"\n', "the key 'a' is given twice"),
        ('id,custom\nu1,"{""a"":""x"",""a"":""y""}"\n', "is no JSON object"),
        ("id,name\nu1,Ann,more\n", "line 2 has 3 cells, and the header has 2"),
    ],
)
def test_a_row_that_says_two_things_is_a_bad_record(file: Path, content: str, reason: str) -> None:
    (found,) = reasons(users(file, content))

    assert reason in found


def test_two_missing_quotes_that_match_each_other_hide_no_records(file: Path) -> None:
    content = 'id,name\nu1,Ann\nu2,"Ben\nu3,Cas\nu4,Dee"\nu5,"Eve\nof the\nhill"\n'

    ann, swallowed, eve = users(file, content)

    assert ({"id": "u1", "name": "Ann"}, {"id": "u5", "name": "Eve\nof the\nhill"}) == (ann, eve)
    assert "line 3: a cell in quotes goes on over line 4, which looks like" in swallowed.reason


def test_commas_in_a_text_of_several_lines_are_no_records(file: Path) -> None:
    text = "We need:\napples, pears, and figs\nthanks, Ann"

    rows = messages(file, f'conversation_id,sender,text\nroom,ann,"{text}"\n')

    assert [{"conversation_id": "room", "sender": "ann", "text": text}] == rows


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        ('[\n {\n  "id": "u1"\n }\n]', "is a JSON array, .* `jq -c '\\.\\[\\]'"),
        ('\n[{"id": "u1"},\n{"id": "u2"}]\n', "is a JSON array, .* `jq -c '\\.\\[\\]'"),
        ('[\t{"id": "u1"}]', "is a JSON array, .* `jq -c '\\.\\[\\]'"),
        ('\ufeff [  \r{"id": "u1"}]\n', "is a JSON array, .* `jq -c '\\.\\[\\]'"),
        ('{\n "id": "u1"\n}\n', "objects of several lines, .* `jq -c \\. "),
    ],
)
def test_json_that_is_no_json_lines_says_how_to_make_them(
    tmp_path: Path, content: str, way_out: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=way_out):
        read_users(path).check()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "u1", "id": "u2"}', "line 2 has 'id' twice."),
        ('{"id": "u1", "custom": {"a": "x", "a": "y"}}', "line 2 has 'a' twice."),
        ('{"id": "u1", "name": NaN}', "line 2 has NaN, which is not JSON."),
        ('{"id": "u1"},', "line 2 is not JSON."),
        ("[" * 100_000, "line 2 is"),
        ("9" * 5_000, "line 2 has a number of more digits"),
    ],
)
def test_a_line_of_json_that_is_ambiguous_is_a_bad_record(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"id": "u0"}}\n{line}\n{{"id": "u9"}}\n')

    first, bad, last = list(read_users(path))

    assert ({"id": "u0"}, {"id": "u9"}) == (first, last)
    assert isinstance(bad, BadRecord)
    assert bad.reason.startswith(reason)


def test_a_file_that_the_system_will_not_read_is_one_sentence() -> None:
    with pytest.raises(ConfigurationError, match=r"/proc/self/mem cannot be read: [A-Z][^\[\]]*\."):
        read_users("/proc/self/mem", format="csv").check()


def written(file: Path, content: str) -> Path:
    file.write_text(content, newline="")
    return file


@pytest.mark.anyio
async def test_times_in_other_units_or_as_digits_of_a_date_are_not_stored_in_another_century(
    talkjs: AsyncTalkJS, emulator: Emulator, file: Path
) -> None:
    await talkjs.users.upsert("ann", name="Ann")
    await talkjs.conversations.upsert("room", participants=["ann"])
    content = (
        "conversation_id,sender,text,sent_at\n"
        "room,ann,in seconds,1700000000\n"
        "room,ann,a date,20231114\n"
        "room,ann,good,1700000000000\n"
        "room,ann,in microseconds,1700000000000000\n"
        "room,ann,a date and time,20231114221320\n"
        "room,ann,of a database,17000000000000\n"
    )

    report = await import_messages(talkjs, read_old_messages(written(file, content)))

    assert ["good"] == [commit.text for commit in emulator.commits.of("message.imported")]
    assert [
        "line 2: sent_at: 1700000000 cannot",
        "line 3: sent_at: 20231114 cannot",
        "line 5: sent_at: 1700000000000000 cannot",
        "line 6: sent_at: 20231114221320 cannot",
        "line 7: sent_at: 17000000000000 cannot",
    ] == [
        str(record.reason).partition(" be Unix milliseconds")[0]
        for record in report.records("failed")
    ]


@pytest.mark.anyio
async def test_failures_name_the_line_of_the_file(talkjs: AsyncTalkJS, file: Path) -> None:
    content = '\nid,name,email\nu1,"A\nnn",\n\nu1,Ben,\n,Cas,\n..,Dee,\nu4,,d@x.org\n'

    report = await upsert_users(talkjs, read_users(written(file, content)))

    assert 1 == report.done
    assert ["line 6: ", "line 7: ", "line 8: ", "line 9: "] == [
        str(record.reason)[:8] for record in report.records("failed")
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    "columns",
    ["id,name", "name,id", "id,email", '"id","name"', "id , name", "id,name,", "photoUrl,id"],
)
def test_two_files_one_behind_the_other_are_refused(
    tmp_path: Path, mark: str, columns: str
) -> None:
    """The second one may have other columns, or the same ones written in another way."""
    path = tmp_path / "users.csv"
    path.write_text(f"\ufeffid,name\nu1,Ann\n{mark}{columns}\nu2,Bob\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"two files.*line 3 begins the second one"):
        list(read_users(path))


@pytest.mark.parametrize("row", ["u2,name", "name,u2", "id,Ann", "name,email"])
def test_a_record_with_a_word_that_is_a_title_is_one(tmp_path: Path, row: str) -> None:
    path = tmp_path / "users.csv"
    path.write_text(f"id,name\nu1,Ann\n{row}\n", encoding="utf-8")
    id_, name = row.split(",")

    assert [{"id": "u1", "name": "Ann"}, {"id": id_, "name": name}] == list(read_users(path))


CSV, LINES = "id,name\nu1,A\n", '{"id": "u1", "name": "A"}\n'
OTHER_FILES = {
    "utf-16": (CSV.encode("utf-16"), LINES.encode("utf-16"), "is in UTF-16: save it in UTF-8"),
    "utf-32": (CSV.encode("utf-32"), LINES.encode("utf-32"), "is in UTF-32: save it in UTF-8"),
    "utf-32, the larger end first": (
        b"\0\0\xfe\xff" + CSV.encode("utf-32-be"), b"\0\0\xfe\xff" + LINES.encode("utf-32-be"),
        "is in UTF-32: save it in UTF-8",
    ),
    "utf-16 without a mark": (
        CSV.encode("utf-16-le"), LINES.encode("utf-16-le"), "its first line holds NULs",
    ),
    "gzip": (gzip.compress(CSV.encode()), gzip.compress(LINES.encode()), r"\(gzip\): unpack it"),
    "a spreadsheet": (b"PK\3\4\0\0\0\n", b"PK\3\4\0\0\0\n", "or save it as CSV in UTF-8"),
    "two marks": (
        b"\xef\xbb\xbf" * 2 + CSV.encode(), b"\xef\xbb\xbf" * 2 + LINES.encode(),
        "marked as UTF-8 twice",
    ),
    "a line of 17 million letters": (
        b"id,name\nu1," + 17_000_000 * b"x" + b"\n",
        b'{"id": "u1", "name": "' + 17_000_000 * b"x" + b'"}\n',
        "is no file of records: line . is over 16,777,216 characters long",
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(("csv", "lines", "words"), OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_a_file_that_is_no_text_says_so(
    tmp_path: Path, csv: bytes, lines: bytes, words: str, suffix: str
) -> None:
    path = tmp_path / f"users{suffix}"
    path.write_bytes(csv if suffix == ".csv" else lines)

    with pytest.raises(ConfigurationError, match=words):
        list(read_users(path))


@pytest.mark.parametrize("content", ["", "\n", "\n\n , ,\n"])
def test_a_csv_file_without_columns_says_so(file: Path, content: str) -> None:
    with pytest.raises(ConfigurationError, match="is empty: its first line names the columns"):
        users(file, content)


def test_line_breaks_of_two_kinds_are_not_taken_for_columns(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="save it with line breaks of one kind"):
        users(file, "id,name\ru1,A\nu2,B\n")


@pytest.mark.parametrize("hint", ["sep=;", '"sep=;"', "sep=;;"])
def test_the_line_that_tells_excel_what_separates_columns_does_so(file: Path, hint: str) -> None:
    found = users(file, f"{hint}\r\nid;name\r\nu1;A, B\r\n")

    assert [(3, {"id": "u1", "name": "A, B"})] == [(row.line, row) for row in found]


def test_lines_of_json_may_end_with_carriage_returns_alone(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(b'{"id": "u1"}\r\r{"id": "u2"}\r')

    assert [(1, {"id": "u1"}), (3, {"id": "u2"})] == [
        (row.line, row) for row in read_users(path) if isinstance(row, dict)
    ]


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"u9,I\n")


def _shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    new.replace(path)


@pytest.mark.anyio
@pytest.mark.parametrize("change", [_grow, _shrink, _replace])
@pytest.mark.parametrize("moment", ["checked", "half read"])
async def test_a_file_that_changes_while_it_is_read_is_never_said_to_be_done(
    talkjs: AsyncTalkJS,
    emulator: Emulator,
    file: Path,
    change: Callable[[Path], None],
    moment: str,
) -> None:
    users(file, "id,name\n" + "".join(f"u{n},A\n" for n in range(10)))

    class Changing(RecordFile):
        def check(self) -> int:
            count = super().check()
            if moment == "checked":
                change(self.path)
            return count

        def __iter__(self) -> Iterator[Any]:
            is_read_once_more = self._checked is not None
            for number, row in enumerate(super().__iter__()):
                yield row
                if number == 5 and moment == "half read" and is_read_once_more:
                    change(self.path)

    source = Changing(file, None, USER_FIELDS, required=("id",))
    with pytest.raises(ConfigurationError, match="was changed while it was read"):
        await upsert_users(talkjs, source)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with a name are a thing of Unix")
def test_what_can_be_read_once_only_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "users.csv")

    with pytest.raises(ConfigurationError, match="is a pipe or a device, but must be read twice"):
        read_users(tmp_path / "users.csv")
    with pytest.raises(ConfigurationError, match="is a pipe or a device"):
        list(items_of(tmp_path / "users.csv"))


def test_a_number_that_cannot_be_read_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_text('{"id": ' + 5_000 * "9" + "}\n")

    (bad,) = read_users(path)

    assert BadRecord(reason="line 1 has a number of more digits than can be read.") == bad
