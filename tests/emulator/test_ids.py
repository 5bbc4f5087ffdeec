"""IDs look real and are repeatable."""

import re

from talkjs_async.emulator._ids import IdGenerator


def test_an_id_is_a_prefix_and_22_letters_and_digits() -> None:
    assert re.fullmatch(r"msg_[0-9a-zA-Z]{22}", IdGenerator(0).make("msg_"))


def test_ids_differ_from_each_other() -> None:
    ids = IdGenerator(0)

    assert len({ids.make("msg_") for _ in range(10_000)}) == 10_000


def test_the_same_seed_gives_the_same_ids() -> None:
    one, other = IdGenerator(7), IdGenerator(7)

    assert [one.make("") for _ in range(3)] == [other.make("") for _ in range(3)]
    assert IdGenerator(7).make("") != IdGenerator(8).make("")
