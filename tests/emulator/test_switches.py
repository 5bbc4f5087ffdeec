"""Every open question has a name."""

import pytest

from talkjs_async.emulator import Emulator, Switches


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


def test_the_environment_sets_what_a_program_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_EMULATOR_SWITCHES", "empty_phone=list, not_a_participant=400,")

    switches = Emulator().switches
    switches.reasons = "fields"

    assert ("list", 400) == (switches.empty_phone, switches.not_a_participant)
    assert Switches() == Emulator(switches=Switches()).switches
    assert "list" == Emulator().switches.reasons


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("nonsense=1", "In TALKJS_EMULATOR_SWITCHES: There is no switch 'nonsense'"),
        ("reasons=both", "In TALKJS_EMULATOR_SWITCHES: reasons must be one of"),
        ("reasons", "In TALKJS_EMULATOR_SWITCHES: reasons must be one of"),
    ],
)
def test_a_mistake_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: str, complaint: str
) -> None:
    monkeypatch.setenv("TALKJS_EMULATOR_SWITCHES", settings)

    with pytest.raises(ValueError, match=complaint):
        Emulator()
