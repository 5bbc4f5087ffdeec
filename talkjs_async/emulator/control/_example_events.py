"""
An example of every event, with all that its data consists of.

Not written down: a hidden emulator is made to send each of them, so that an example
looks as the real ones do, under the same switches.
"""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import attrs

from talkjs_async.emulator import markup
from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit
from talkjs_async.emulator.control._operation import refusal
from talkjs_async.emulator.simulated_users import SimulatedUser

_OUTSIDE = {"notificationId": "ntf_example"}
_KEYED = ("custom", "participants", "reactions")
"""Objects that may get other keys: of a program's own, of a user's ID, of an emoji."""
_REFERENCES = {"conversation": "conversationId", "sender": "senderId"}
"""The record in an event, and what its ID is called in others."""


def example_data(world: World, event_type: str) -> dict[str, Any]:
    """Return the data of an event as *world* would send it."""
    hidden = World(
        app_id=world.app_id,
        secret_key=world.secret_key,
        router=world.router,
        clock=world.clock,
        limits=attrs.evolve(world.limits, enabled=False),
        switches=world.switches,
        seed="examples",
        latency=None,
        log_limit=None,
        inbox_limit=1000,
        body_limit=0,
    )
    _cause_everything(hidden)
    for event in reversed(hidden.webhooks.inbox):
        if event["type"] == event_type:
            data: dict[str, Any] = event["data"]
            return data
    return dict(_OUTSIDE)


def _cause_everything(world: World) -> None:
    fill_with_demo(world)
    chat = "/conversations/red-bicycle"
    user = SimulatedUser(world, "sebastian")
    message_id = SimulatedUser(world, "alice").say("red-bicycle", "On my way!")
    user.read("red-bicycle")
    _send(world, "PUT", "/users/alice", {"availabilityText": "Back on Monday"})
    _send(world, "PUT", f"{chat}/messages/{message_id}", {"text": "On my way, with a lock!"})
    _send(world, "DELETE", f"{chat}/messages/{message_id}")
    _send(world, "DELETE", chat)


def _send(world: World, method: str, path: str, body: object = None) -> None:
    request = Request(
        method=method,
        path=f"/v1/{world.app_id}{path}",
        headers={
            b"authorization": f"Bearer {world.secret_key}".encode(),
            b"content-type": b"application/json",
        },
        body=b"" if body is None else json.dumps(body).encode(),
    )
    handle(world, admit(world, request))


def change(data: dict[str, Any], path: str, value: Any) -> None:
    """
    Set what a dotted path such as `message.text` points to, wherever the event has that record.

    A message stands there twice when it is its conversation's last. The text is part of the
    content, too, and IDs are repeated in other records.
    """
    steps = path.split(".")
    record, way = _find(data, steps, value)
    same = [one for one in _objects(data) if one is record or _is_same(one, record)]
    if way == ["id"] and (key := _REFERENCES.get(".".join(steps[-2:-1]))):
        for one in _objects(data):
            if one.get(key) == record["id"]:
                one[key] = value
    for one in same:
        _put(one, way, value, path)


def _find(data: dict[str, Any], steps: list[str], value: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the innermost record that a path leads through, and the way on from there."""
    record, way, here = data, steps, data
    for index, step in enumerate(steps):
        above = steps[index - 1] if index else ""
        is_last = index == len(steps) - 1
        if step not in here and not (is_last and above in _KEYED):
            raise refusal(400, f"set: {_missing(here, steps, index)}")
        below = here.get(step)
        if is_last:
            if isinstance(below, str) and not isinstance(value, str | None):
                raise refusal(
                    400,
                    f"set: {'.'.join(steps)!r} is a text and cannot be {value!r}. In JSON, and "
                    "behind --set, a text of digits or the like has quotes.",
                )
        elif step == "custom":
            break
        elif not isinstance(below, dict):
            what = "null: set all of it, as JSON" if below is None else "no object"
            raise refusal(400, f"set: {'.'.join(steps)!r} leads through {step!r}, which is {what}.")
        else:
            here = below
            if "id" in here:
                record, way = here, steps[index + 1 :]
    return record, way


def _missing(here: dict[str, Any], steps: list[str], index: int) -> str:
    above = "".join(f"{step}." for step in steps[:index])
    near = get_close_matches(steps[index], list(here), n=1)
    guess = f" Did you mean {above + near[0]!r}?" if near else ""
    there_are = ", ".join(f"{above}{name}" for name in here) or "nothing"
    return f"The event has no {above + steps[index]!r}.{guess} There are: {there_are}."


def _objects(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All objects in an event, itself included."""
    rest: list[Any] = [data]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            yield one
            rest.extend(one.values())
        elif isinstance(one, list):
            rest.extend(one)


def _is_same(one: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether both are the same record. Of a user and a conversation, say, the keys differ."""
    return "id" in record and one.get("id") == record["id"] and one.keys() == record.keys()


def _put(record: dict[str, Any], way: list[str], value: Any, path: str) -> None:
    *parents, last = way
    for step in parents:
        # Only below custom can something be missing here.
        below = record[step] = {} if record.get(step) is None else record[step]
        if not isinstance(below, dict):
            raise refusal(400, f"set: {path!r} leads through {step!r}, which is no object.")
        record = below
    record[last] = value
    if last == "text" and "content" in record and "custom" not in parents:
        is_text = isinstance(value, str)
        record["content"] = [{"type": "text", "children": markup.parse(value)}] if is_text else []
