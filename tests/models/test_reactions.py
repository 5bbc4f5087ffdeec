"""Reactions in every form that they may come in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from talkjs_async.errors import ConfigurationError
from talkjs_async.models._bodies import check_emoji
from talkjs_async.models._parts import read_reactions
from talkjs_async.models.reactions import Reaction
from tests.models.samples import JSON


@pytest.mark.parametrize(
    ("wire", "reaction"),
    [
        (
            {"👍": {"count": 2, "createdAt": 0, "currentUserReacted": False}},
            Reaction(emoji="👍", count=2, created_at_ms=0, current_user_reacted=False),
        ),
        ({"👍": 2}, Reaction(emoji="👍", count=2)),
        ({"👍": ["a", "b"]}, Reaction(emoji="👍", count=2, user_ids=("a", "b"))),
        ({"👍": {"users": 1}}, Reaction(emoji="👍", extra={"users": 1})),
        ([{"emoji": "👍", "count": 2}], Reaction(emoji="👍", count=2)),
    ],
)
def test_a_reaction_is_understood_in_any_form(wire: Any, reaction: Reaction) -> None:
    assert {reaction.emoji: reaction} == read_reactions(wire)


@pytest.mark.parametrize("wire", [{}, [], None, "👍", 3])
def test_no_reactions_are_an_empty_map(wire: Any) -> None:
    assert {} == read_reactions(wire)


@pytest.mark.parametrize(
    ("wire", "reaction"),
    [
        ({"👍": "two"}, Reaction(emoji="👍", extra={"value": "two"})),
        ({"👍": [1]}, Reaction(emoji="👍", extra={"value": [1]})),
        ({"👍": {"count": "2"}}, Reaction(emoji="👍", extra={"value": {"count": "2"}})),
        ([{"count": "2"}], Reaction(emoji="", extra={"value": {"count": "2"}})),
        (["👍"], Reaction(emoji="", extra={"value": "👍"})),
    ],
)
def test_a_reaction_in_any_other_form_is_kept_as_it_came(wire: Any, reaction: Reaction) -> None:
    assert {reaction.emoji: reaction} == read_reactions(wire)


@given(JSON)
def test_any_json_gives_reactions(wire: Any) -> None:
    assert all(isinstance(reaction, Reaction) for reaction in read_reactions(wire).values())


def test_the_time_of_first_use_is_in_utc() -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) == Reaction(emoji="x", created_at_ms=0).created_at
    assert Reaction(emoji="x").created_at is None


@pytest.mark.parametrize("emoji", ["👍", "👩🏽‍🚀", ":cat:", f":{48 * 'x'}:"])
def test_an_emoji_passes(emoji: str) -> None:
    assert emoji == check_emoji(emoji)


@pytest.mark.parametrize(
    "emoji", ["", ":", "::", ":cat", "cat:", ":a:b:", f":{49 * 'x'}:", "\ud83d", 3]
)
def test_what_is_no_emoji_is_refused(emoji: Any) -> None:
    with pytest.raises(ConfigurationError, match="emoji"):
        check_emoji(emoji)
