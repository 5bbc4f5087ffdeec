"""How the emulator behaves: clock, faults, switches, limits; and beginning anew."""

from typing import Any

import attrs

from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._answer_schemas import (
    FAULT,
    FAULT_KINDS,
    FAULTS,
    INFO,
    NOW,
    SWITCHES,
    list_of,
    of,
)
from talkjs_async.emulator.control._operation import (
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    Argument,
    Arguments,
    Operation,
    refusal,
)
from talkjs_async.emulator.faults import FAULT_TYPES, Plan
from talkjs_async.emulator.ledger import LedgerLine, ledger
from talkjs_async.emulator.limits import Limits
from talkjs_async.emulator.switches import Switches


def _info(world: World, _: Arguments) -> Any:
    return {
        "version": 1,
        "app_id": world.app_id,
        "now": world.clock.time(),
        "users": len(world.main_app.users),
        "conversations": len(world.main_app.conversations),
        "requests": world.requests.total,
        "commits": world.commits.total,
        "deliveries": world.webhooks.delivered,
    }


def _reset(world: World, arguments: Arguments) -> Any:
    world.reset(clock=arguments.get("clock", False))
    if arguments.get("settings", False):
        world.limits = Limits()
        world.switches = Switches.from_environment()
    return _info(world, {})


def _clock(world: World, _: Arguments) -> Any:
    return {"now": world.clock.time()}


def _advance(world: World, arguments: Arguments) -> Any:
    world.advance(arguments["advance"])
    return {"now": world.clock.time()}


def _faults(world: World, _: Arguments) -> Any:
    return [_shown(plan) for plan in world.faults]


def _shown(plan: Plan) -> dict[str, Any]:
    return {
        "number": plan.number,
        "id": plan.fault.id,
        "on": plan.on,
        "fired": plan.fired,
        "seen": plan.seen,
        "left": plan.left,
    }


def _plan_fault(world: World, arguments: Arguments) -> Any:
    nth = arguments.get("nth")
    arguments = {**arguments, "nth": tuple(nth) if isinstance(nth, list) else nth}
    return _shown(world.faults.add(arguments.pop("id"), **arguments))


def _clear_faults(world: World, _: Arguments) -> Any:
    world.faults.clear()
    return []


def _forget_fault(world: World, arguments: Arguments) -> Any:
    for plan in world.faults:
        if str(plan.number) == arguments["number"]:
            world.faults.remove(plan)
            return _faults(world, {})
    raise refusal(404, f"There is no fault {arguments['number']!r}; see GET /faults.")


def _fault_types(_: World, __: Arguments) -> Any:
    return [{"id": fault.id, "meaning": fault.meaning} for fault in FAULT_TYPES]


def _switches(world: World, _: Arguments) -> Any:
    return {name: getattr(world.switches, name) for name in Switches.choices()}


def _set_switches(world: World, arguments: Arguments) -> Any:
    changed = attrs.evolve(world.switches)
    for name, value in arguments.items():
        changed.set(name, str(value))
    world.switches = changed
    return _switches(world, {})


def _behaviour(_: World, __: Arguments) -> Any:
    return [line.to_json() for line in ledger()]


def _limits(world: World, _: Arguments) -> Any:
    return attrs.asdict(world.limits)


def _set_limits(world: World, arguments: Arguments) -> Any:
    world.limits = attrs.evolve(world.limits, **arguments)
    return _limits(world, {})


_LIMITS = {
    "enabled": Argument(FLAG, "False switches both limits off."),
    "rate": Argument({"type": "number", "minimum": 0.001}, "Requests per second, sustained."),
    "burst": Argument(COUNT, "Requests at once after a rest."),
    "queue": Argument(COUNT, "Requests beyond the burst that are held instead of refused."),
    "batch_rate": Argument({"type": "number", "minimum": 0.001}, "Batches per second, sustained."),
    "batch_burst": Argument(COUNT, "Batches at once after a rest."),
    "batch_queue": Argument(COUNT, "Batches beyond the burst that are held."),
    "tick": Argument({"type": "number", "minimum": 0}, "Refilled once per so many seconds."),
    "retry_after": Argument(
        {"type": ["string", "null"], "enum": ["seconds", "date", None]}, "In `Retry-After`."
    ),
}

SETTINGS = (
    Operation(
        method="GET", path="/", answer=INFO, summary="Say what is in the emulator", handler=_info
    ),
    Operation(
        method="POST",
        path="/reset",
        answer=INFO,
        summary="Forget all data, logs and faults; keep receivers, snapshots, settings and time",
        body={
            "clock": Argument(FLAG, "Also go back to where time began."),
            "settings": Argument(FLAG, "Also set limits and switches to their defaults."),
        },
        handler=_reset,
    ),
    Operation(
        method="GET", path="/clock", answer=NOW, summary="Tell the emulator's time", handler=_clock
    ),
    Operation(
        method="POST",
        path="/clock",
        answer=NOW,
        summary="Turn the clock forward",
        body={"advance": Argument({"type": "number", "minimum": 0}, "Seconds.", required=True)},
        handler=_advance,
    ),
    Operation(
        method="GET",
        path="/faults",
        answer=FAULTS,
        summary="List the planned faults",
        handler=_faults,
    ),
    Operation(
        method="POST",
        path="/faults",
        answer=FAULT,
        summary="Plan a fault",
        body={
            "id": Argument(TEXT, "Such as return-503; see GET /fault-types.", required=True),
            "on": Argument(TEXT, "Which requests, such as `POST /conversations/*/messages`."),
            "p": Argument(NUMBER, "Probability for each of these requests."),
            "first": Argument(COUNT, "Only the first so many of these requests."),
            "nth": Argument({"type": ["integer", "array"]}, "Only this one, or these, from 1."),
            "seconds": Argument(NUMBER, "Only for so many seconds from now."),
        },
        handler=_plan_fault,
    ),
    Operation(
        method="DELETE",
        path="/faults",
        answer=FAULTS,
        summary="Forget all faults",
        handler=_clear_faults,
    ),
    Operation(
        method="DELETE",
        path="/faults/{number}",
        answer=FAULTS,
        summary="Forget a fault",
        handler=_forget_fault,
    ),
    Operation(
        method="GET",
        path="/fault-types",
        answer=FAULT_KINDS,
        summary="List what can go wrong",
        handler=_fault_types,
    ),
    Operation(
        method="GET",
        path="/switches",
        answer=SWITCHES,
        summary="Show the switches",
        handler=_switches,
    ),
    Operation(
        method="PATCH",
        path="/switches",
        answer=SWITCHES,
        summary="Change switches",
        body={
            switch.name: Argument({"enum": list(switch.choices)}, switch.meaning)
            for switch in Switches.table()
        },
        handler=_set_switches,
    ),
    Operation(
        method="GET",
        path="/behaviour",
        answer=list_of(of(LedgerLine)),
        summary="List each route, switch and fact, and how it is known",
        handler=_behaviour,
    ),
    Operation(
        method="GET",
        path="/limits",
        answer=of(Limits),
        summary="Show the rate limits",
        handler=_limits,
    ),
    Operation(
        method="PATCH",
        path="/limits",
        answer=of(Limits),
        summary="Change the rate limits",
        body=_LIMITS,
        handler=_set_limits,
    ),
)
