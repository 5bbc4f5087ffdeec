"""Paths and calls."""

from __future__ import annotations

from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.call import Call, as_is, path, target
from talkjs_async.errors import ConfigurationError

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda value: value not in {".", ".."}
)


@given(value=ids)
def test_an_id_is_one_segment_whatever_it_holds(value: str) -> None:
    built = path("users", user_id=value)

    assert 2 == built.count("/")
    assert value == unquote(built.removeprefix("/users/"))


def test_slashes_emoji_and_percent_signs_are_encoded() -> None:
    assert "/users/a%2Fb%25%F0%9F%99%82" == path("users", user_id="a/b%🙂")


def test_several_ids_follow_each_other() -> None:
    assert "/reactions/%3Ax%3A/alice" == path("reactions", emoji=":x:", user_id="alice")


@pytest.mark.parametrize("value", ["", ".", "..", 7, None, b"a", "\ud83d"])
def test_what_is_no_id_is_refused_with_the_name_of_the_argument(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        path("users", user_id=value)

    assert "user_id" == caught.value.argument


class Word(str, Enum):  # noqa: UP042 - a StrEnum would hide what this is about
    """Texts with names, of which `str` and formatting make the name."""

    ALICE = "alice"
    USERS = "/users"


@given(query=st.dictionaries(ids, ids))
def test_a_query_is_read_back_as_it_was_given(query: dict[str, str]) -> None:
    built = target(Call(method="GET", path="/users", query=query, decode=as_is))

    assert query == dict(parse_qsl(built.removeprefix("/users").removeprefix("?"), True))


def test_a_text_with_a_name_goes_out_as_the_text() -> None:
    call = Call(method="GET", path=Word.USERS, query={Word.ALICE: Word.ALICE}, decode=as_is)

    assert "/users?alice=alice" == target(call)
    assert "/users/alice" == path("users", user_id=Word.ALICE)
