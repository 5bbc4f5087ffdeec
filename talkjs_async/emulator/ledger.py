"""
How each behaviour of TalkJS is known: the ledger, one line per route, switch and fact.

The lines are in `ledger.jsonl`, written from the declarations of routes, switches and contract
tests; a run of those tests against TalkJS adds what was seen there, and when. Nothing here knows
what the emulator does.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import attrs

__all__ = ["LedgerLine", "Seen", "ledger", "line_of", "read_ledger"]

Kind = Literal["route", "switch", "fact"]


@attrs.frozen(kw_only=True)
class Seen:
    """
    What TalkJS itself did.

    Attributes:
        on: The day, as in 2026-11-27.
        answer: Of a switch, the choice that TalkJS takes; of a route, whether it is there; of a
            fact, whether it holds.
    """

    on: str
    answer: Any


@attrs.frozen(kw_only=True)
class LedgerLine:
    """
    One behaviour.

    Attributes:
        kind: What it is to the emulator.
        name: `messages.send`, `delete_unknown`, ...; with *kind* it is unique.
        behaviour: What TalkJS does, or of a switch what is asked.
        expected: What the emulator does by default: of a switch its first choice, otherwise True.
        mark: How it is known without having been seen: documented, code (seen in programs), third
            party, inferred, unknown; or live, when it was seen by others.
        source: Where it is known from, or what it was inferred from.
        live: What a run of the contract tests saw. None: no run has looked.
    """

    kind: Kind
    name: str
    behaviour: str
    expected: Any
    mark: str
    source: str
    live: Seen | None = None

    @property
    def known(self) -> str:
        """Return how it is known, in words: `documented`, `seen live on 2026-11-27`."""
        if self.live is None:
            return self.mark
        if self.live.answer == self.expected:
            return f"seen live on {self.live.on}"
        if self.kind == "switch":
            return f"TalkJS: {self.live.answer}, on {self.live.on}"
        return f"not so, seen live on {self.live.on}"

    def to_json(self) -> dict[str, Any]:
        """Return the line as it stands in the file."""
        return attrs.asdict(self)


def read_ledger(text: str) -> tuple[LedgerLine, ...]:
    """Read the lines of a ledger."""
    return tuple(_line(json.loads(line)) for line in text.splitlines())


def _line(data: Mapping[str, Any]) -> LedgerLine:
    live = data["live"]
    return LedgerLine(**{**data, "live": None if live is None else Seen(**live)})


@lru_cache(maxsize=1)
def ledger() -> tuple[LedgerLine, ...]:
    """Return all lines: routes, then switches, then facts."""
    return read_ledger(Path(__file__).with_name("ledger.jsonl").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _by_name() -> Mapping[tuple[str, str], LedgerLine]:
    return {(line.kind, line.name): line for line in ledger()}


def line_of(kind: Kind, name: str) -> LedgerLine:
    """Return the line of one behaviour; `KeyError` when there is none."""
    return _by_name()[kind, name]
