"""Not given is neither null nor false; moments are exact and in UTC."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.wire import (
    UNSET,
    drop_unset,
    is_whole,
    milliseconds,
    moment,
    moment_or_none,
)
from talkjs_async.errors import DecodeError


def test_unset_is_dropped_and_none_is_kept() -> None:
    kept = drop_unset({"a": UNSET, "b": None, "c": 0})

    assert {"b": None, "c": 0} == kept


def test_unset_is_one_object_after_copying_and_pickling() -> None:
    assert UNSET is copy.deepcopy(UNSET)
    assert UNSET is pickle.loads(pickle.dumps(UNSET))
    assert "UNSET" == repr(UNSET)


def test_unset_cannot_be_mistaken_for_false() -> None:
    with pytest.raises(TypeError, match="is UNSET"):
        bool(UNSET)


def test_a_moment_is_aware_and_exact_to_the_millisecond() -> None:
    assert datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC) == moment(1_700_000_000_123)


def test_no_moment_stays_none() -> None:
    assert moment_or_none(None) is None
    assert moment(0) == moment_or_none(0)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_every_moment_of_the_calendar_is_exact(number: int) -> None:
    assert number == milliseconds(moment(number))


@pytest.mark.parametrize("number", [10**15, -(10**15), 10**400])
def test_a_number_beyond_the_calendar_is_our_error(number: int) -> None:
    with pytest.raises(DecodeError, match="years 1 and 9999"):
        moment(number)


def test_any_time_zone_gives_the_same_milliseconds() -> None:
    there = datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2)))

    assert 1_700_000_000_000 == milliseconds(there)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(1, True), (2**70, True), (0, False), (1.0, False), (True, False), ("1", False)],
)
def test_a_whole_number_is_no_float_and_no_flag(value: object, is_one: bool) -> None:
    assert is_one == is_whole(value, least=1)
