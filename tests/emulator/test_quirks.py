"""Every open question has a name."""

import pytest

from talkjs_async.emulator import Quirks


def test_the_first_choice_is_the_default() -> None:
    quirks = Quirks()

    for name, choices in Quirks.choices().items():
        assert getattr(quirks, name) == choices[0]
        assert len(choices) >= 2


def test_a_value_that_is_no_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="delete_unknown must be one of"):
        Quirks(delete_unknown="perhaps")  # type: ignore[arg-type]
    quirks = Quirks()
    with pytest.raises(ValueError, match="empty_phone must be one of"):
        quirks.empty_phone = "nothing"  # type: ignore[assignment]


def test_a_quirk_can_be_changed_at_any_time() -> None:
    quirks = Quirks(empty_phone="list")

    quirks.empty_phone = "null"

    assert quirks.empty_phone == "null"
