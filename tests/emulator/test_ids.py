"""IDs look real and are repeatable."""

import re

from talkjs_async.emulator.ids import Ids


def test_an_id_is_a_prefix_and_22_letters_and_digits() -> None:
    assert re.fullmatch(r"msg_[0-9a-zA-Z]{22}", Ids(0).make("msg_"))


def test_ids_differ_from_each_other() -> None:
    ids = Ids(0)

    assert len({ids.make("msg_") for _ in range(10_000)}) == 10_000


def test_the_same_seed_gives_the_same_ids() -> None:
    one, other = Ids(7), Ids(7)

    assert [one.make("") for _ in range(3)] == [other.make("") for _ in range(3)]
    assert Ids(7).make("") != Ids(8).make("")
