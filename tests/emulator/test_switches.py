"""Every open question has a name."""

import pytest

from talkjs_async.emulator import Switches


def test_the_first_choice_is_the_default() -> None:
    switches = Switches()

    for name, choices in Switches.choices().items():
        assert getattr(switches, name) == choices[0]
        assert len(choices) >= 2


def test_a_value_that_is_no_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="delete_unknown must be one of"):
        Switches(delete_unknown="perhaps")  # type: ignore[arg-type]
    switches = Switches()
    with pytest.raises(ValueError, match="empty_phone must be one of"):
        switches.empty_phone = "nothing"  # type: ignore[assignment]


def test_a_switch_says_what_it_is_about_and_how_it_is_known() -> None:
    for switch in Switches.table():
        assert switch.meaning.endswith(".")
        assert switch.mark in {"live", "documented", "code", "third party", "inferred", "unknown"}
        assert bool(switch.source) >= (switch.mark in {"documented", "code", "third party"})


def test_a_switch_is_set_by_the_text_of_its_value() -> None:
    switches = Switches()

    switches.set("custom_edit_sets_edited_at", "false")
    switches.set("not_a_participant", "400")

    assert (False, 400) == (switches.custom_edit_sets_edited_at, switches.not_a_participant)
    with pytest.raises(ValueError, match="There is no switch 'nonsense'; there are: limit_over"):
        switches.set("nonsense", "1")


def test_a_switch_can_be_changed_at_any_time() -> None:
    switches = Switches(empty_phone="list")

    switches.empty_phone = "null"

    assert switches.empty_phone == "null"
