"""
Write the ledger: `python -m tests.contracts.ledger` takes up what has changed in the code.

Its lines are declared where they are used: an endpoint at its route, a switch in the emulator's
table of switches, a fact at its contract test. What was seen live stays as it is, unless the
question has changed; only a run of the contract tests against TalkJS adds to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

import talkjs_async.emulator
from talkjs_async.emulator.ledger import LedgerLine, Seen, read_ledger
from talkjs_async.emulator.routes import ROUTES
from talkjs_async.emulator.switches import Switches
from tests.contracts.facts import FACTS

LEDGER = Path(talkjs_async.emulator.__file__).with_name("ledger.jsonl")

_TESTS = ("test_contracts", "test_newer_facts")


def declared() -> Iterator[LedgerLine]:
    """Every line, with nothing seen."""
    for route in ROUTES:
        yield LedgerLine(
            kind="route",
            name=route.name,
            behaviour=f"{route.method} {'/v1' if route.open else '/v1/{app}'}{route.path}",
            expected=True,
            mark=route.mark,
            source=route.source,
        )
    for switch in Switches.table():
        yield LedgerLine(
            kind="switch",
            name=switch.name,
            behaviour=switch.meaning,
            expected=switch.choices[0],
            mark=switch.mark,
            source=switch.source,
        )
    for name in _TESTS:
        import_module(f"tests.contracts.{name}")
    for fact in FACTS.values():
        yield LedgerLine(
            kind="fact",
            name=fact.name,
            behaviour=fact.behaviour,
            expected=True,
            mark=fact.mark,
            source=fact.source,
        )


def brought_up_to_date(before: Iterable[LedgerLine]) -> list[LedgerLine]:
    """Every line that is declared, with what was seen of it before."""
    seen = {(line.kind, line.name, line.behaviour): line.live for line in before}
    return [
        attrs.evolve(line, live=seen.get((line.kind, line.name, line.behaviour)))
        for line in declared()
    ]


def with_observations(
    lines: Iterable[LedgerLine], observations: Mapping[tuple[str, str], Any], day: str
) -> list[LedgerLine]:
    """Lines with what a run has seen, by kind and name; what it has not seen stays as it was."""
    return [
        attrs.evolve(line, live=Seen(on=day, answer=observations[line.kind, line.name]))
        if (line.kind, line.name) in observations
        else line
        for line in lines
    ]


def written(lines: Iterable[LedgerLine]) -> str:
    """Lines as the file has them."""
    return "".join(f"{json.dumps(line.to_json(), ensure_ascii=False)}\n" for line in lines)


def read(path: Path) -> tuple[LedgerLine, ...]:
    """The lines of a file; none if it is not there."""
    return read_ledger(path.read_text()) if path.exists() else ()


if __name__ == "__main__":
    LEDGER.write_text(written(brought_up_to_date(read(LEDGER))))
