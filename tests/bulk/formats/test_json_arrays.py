from __future__ import annotations

import json
from pathlib import Path

import pytest

from talkjs_async import ConfigurationError
from talkjs_async.bulk.formats._json_arrays import items_of


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is cut off"),
        (b"[]", "has '\\[' where '{' should be"),
        (b'{"messages" 1}', "has '1' where ':' should be"),
        (b'{"messages": [{}, {"a": 1', "is cut off, or no JSON"),
        (b'{"messages": [1 2]}', "has '2' where ',' should be"),
        (b'{"messages": [nonsense]}', "is cut off, or no JSON"),
        (b'{"messages": ["\xff"]}', "is not UTF-8"),
        (b"{1: []}", "has '1' where a key should be"),
        (b'{"messages": []} {"messages": []}', "has '\\{' behind its end"),
        (b'{"messages": []}\n\n\n,', "has ',' behind its end: see line 4"),
        (b'{"messages": [\n{"a": 1,\n "a": 2}]}', "has 'a' twice: see line 2"),
        (b'{"messages": [NaN]}', "has NaN, which is not JSON"),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=sentence):
        list(items_of(path))


def test_a_file_that_is_not_there_is_one_of_our_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        list(items_of(tmp_path / "x.json"))


def test_large_files_are_read_an_item_at_a_time(tmp_path: Path) -> None:
    items = [{"number": number, "text": "ü" * (number % 300)} for number in range(3_000)]
    content = {"before": {"x": [1]}, "messages": items, "numbers": [123456, -7], "none": []}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False))

    found = list(items_of(path))

    assert [("messages", item) for item in items] == found[:-2]
    assert [("numbers", 123456), ("numbers", -7)] == found[-2:]
