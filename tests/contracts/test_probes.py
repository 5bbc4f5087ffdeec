"""What a probe says about a TalkJS is true of the emulator, whatever its switches are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, Limits, RealClock, Switches
from tests.contracts.asking import Asker, Unclear
from tests.contracts.conftest import LIVE, observe
from tests.contracts.probes import CANNOT_BE_PROBED, PROBES
from tests.pairwise import pairwise

pytestmark = pytest.mark.anyio

CHOICES = Switches.choices()
PAIRWISE = pairwise(CHOICES)

# Where another choice hides what a probe looks for.
HIDDEN = {
    "import_answer": ("import_rules", "older"),
    "reaction_pages": ("reactions_shape", None),
}


def asker(emulator: Emulator) -> Asker:
    http = httpx.AsyncClient(transport=emulator.transport, base_url="http://emulator")
    return Asker(http, emulator.app_id, emulator.secret_key)


def test_every_switch_has_a_probe_or_a_reason_why_not() -> None:
    assert set(CHOICES) == {*PROBES, *CANNOT_BE_PROBED}
    assert not set(PROBES) & set(CANNOT_BE_PROBED)


@pytest.mark.parametrize(
    ("switch", "choice"),
    [(switch, choice) for switch in PROBES for choice in CHOICES[switch]],
    ids=str,
)
async def test_a_probe_tells_every_choice(switch: str, choice: Any) -> None:
    emulator = Emulator(
        limits=Limits.off(), switches=Switches(**{switch: choice}), clock=RealClock()
    )

    assert choice == await PROBES[switch](asker(emulator))


@pytest.mark.parametrize("number", range(len(PAIRWISE)))
async def test_probes_are_right_whatever_the_other_switches_are(number: int) -> None:
    setting = PAIRWISE[number]
    emulator = Emulator(limits=Limits.off(), switches=Switches(**setting), clock=RealClock())

    found: dict[str, Any] = {}
    for name, probe in PROBES.items():
        try:
            found[name] = await probe(asker(emulator))
        except Unclear as unclear:
            found[name] = unclear

    wrong = {
        name: (setting[name], answer) for name, answer in found.items() if answer != setting[name]
    }
    hidden = {
        name
        for name, (other, choice) in HIDDEN.items()
        if setting[other] == choice and isinstance(found[name], Unclear)
    }
    assert {} == {name: what for name, what in wrong.items() if name not in hidden}


@pytest.mark.live
@pytest.mark.skipif(not LIVE, reason="there is no live app to ask")
@pytest.mark.parametrize("switch", PROBES)
async def test_talkjs_tells_which_choice_it_takes(switch: str, live: Asker) -> None:
    try:
        choice = await PROBES[switch](live)
    except Unclear as unclear:
        pytest.skip(f"unclear: {unclear}")
    observe("switch", switch, choice)
