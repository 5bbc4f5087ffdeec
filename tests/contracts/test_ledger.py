"""The ledger has a line for everything, and says what a run has seen."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest

from talkjs_async.emulator.ledger import Seen, ledger, line_of
from talkjs_async.emulator.routes import ROUTES
from talkjs_async.emulator.switches import Switches
from tests.contracts.ledger import (
    LEDGER,
    brought_up_to_date,
    declared,
    read,
    with_observations,
    written,
)


def test_the_ledger_is_what_the_code_declares() -> None:
    lines = read(LEDGER)

    assert written(brought_up_to_date(lines)) == LEDGER.read_text(), (
        "run `python -m tests.contracts.ledger`"
    )


def test_every_route_and_every_switch_has_one_line() -> None:
    counted = Counter((line.kind, line.name) for line in ledger())

    wanted = {("route", route.name) for route in ROUTES}
    wanted |= {("switch", switch.name) for switch in Switches.table()}
    assert wanted == {name for name in counted if name[0] != "fact"}
    assert {1} == set(counted.values())


def test_every_line_says_how_it_is_known_and_from_where() -> None:
    for line in ledger():
        assert line.known, line.name
        assert line.source or line.mark in ("inferred", "unknown"), line.name
        assert "\n" not in line.behaviour


def test_what_was_seen_stands_beside_what_was_known() -> None:
    [route] = [line for line in declared() if (line.kind, line.name) == ("route", "users.get")]
    [switch] = [line for line in declared() if line.name == "delete_unknown"]
    lines = (route, switch)

    same = with_observations(
        lines,
        {("route", "users.get"): True, ("switch", "delete_unknown"): "not_found"},
        "2026-11-27",
    )
    other = with_observations(
        lines, {("route", "users.get"): False, ("switch", "delete_unknown"): "ok"}, "2026-11-28"
    )

    assert ["documented", "code"] == [line.known for line in lines]
    assert ["seen live on 2026-11-27"] * 2 == [line.known for line in same]
    assert ["not so, seen live on 2026-11-28", "TalkJS: ok, on 2026-11-28"] == [
        line.known for line in other
    ]


def test_what_was_seen_is_kept_until_the_question_changes() -> None:
    seen = {("switch", "delete_unknown"): "not_found", ("switch", "reasons"): "list"}
    before = [
        attrs.evolve(line, behaviour="Something else.") if line.name == "reasons" else line
        for line in with_observations(declared(), seen, "2026-11-27")
    ]

    after = {line.name: line.live for line in brought_up_to_date(before)}

    assert Seen(on="2026-11-27", answer="not_found") == after["delete_unknown"]
    assert after["reasons"] is None


def test_a_behaviour_without_a_line_is_an_error() -> None:
    assert "documented" == line_of("route", "users.get").mark
    with pytest.raises(KeyError):
        line_of("route", "users.fly")
