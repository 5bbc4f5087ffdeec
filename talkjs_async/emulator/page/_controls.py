"""
What can be done from the inspection page, and by programs in other languages.

An action is an object with the key `do`:

| do | with | |
|---|---|---|
| `say` | `user`, `conversation`, `text` | write a message as this participant |
| `read`, `type` | `user`, `conversation` | see everything; start typing |
| `fault` | `id`, optionally `on`, `p`, `first`, `nth`, `seconds` | plan a fault |
| `clear_faults` | | forget all plans |
| `switch` | `name`, `value` | choose another answer where TalkJS documents none |
| `advance` | `seconds` | move the clock on |
| `demo` | | two users, a conversation and some messages |
| `reset` | | forget everything |
"""

from collections.abc import Callable
from typing import Any

from talkjs_async.emulator._world import World
from talkjs_async.emulator.page._demo import fill_with_demo
from talkjs_async.emulator.simulated_users import SimulatedUser

_FAULT_ARGUMENTS = ("on", "p", "first", "nth", "seconds")


def act(world: World, action: Any) -> dict[str, Any]:
    """Do one action and return what there is to say; `ValueError` or `Problem` if it cannot be."""
    do = action.get("do") if isinstance(action, dict) else None
    if not isinstance(do, str) or do not in _ACTIONS:
        raise ValueError(f"An action is an object whose do is one of {', '.join(_ACTIONS)}.")
    try:
        answer = _ACTIONS[do](world, action)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{do} needs other arguments: {error}.") from error
    world.changes += 1
    return answer or {}


def _say(world: World, action: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(action["text"], str) or not action["text"]:
        raise ValueError("text must not be empty.")
    message_id = SimulatedUser(world, action["user"]).say(action["conversation"], action["text"])
    return {"id": message_id}


def _read(world: World, action: dict[str, Any]) -> None:
    SimulatedUser(world, action["user"]).read(action["conversation"])


def _type(world: World, action: dict[str, Any]) -> None:
    SimulatedUser(world, action["user"]).type_in(action["conversation"])


def _fault(world: World, action: dict[str, Any]) -> None:
    arguments = {name: action[name] for name in _FAULT_ARGUMENTS if name in action}
    world.faults.add(action["id"], **arguments)


def _clear_faults(world: World, _: dict[str, Any]) -> None:
    world.faults.clear()


def _switch(world: World, action: dict[str, Any]) -> None:
    world.switches.set(action["name"], str(action["value"]))


def _advance(world: World, action: dict[str, Any]) -> dict[str, Any]:
    world.advance(action["seconds"])
    return {"now": world.clock.time()}


def _demo(world: World, _: dict[str, Any]) -> None:
    fill_with_demo(world)


def _reset(world: World, _: dict[str, Any]) -> None:
    world.reset()


_ACTIONS: dict[str, Callable[[World, dict[str, Any]], dict[str, Any] | None]] = {
    "say": _say,
    "read": _read,
    "type": _type,
    "fault": _fault,
    "clear_faults": _clear_faults,
    "switch": _switch,
    "advance": _advance,
    "demo": _demo,
    "reset": _reset,
}
