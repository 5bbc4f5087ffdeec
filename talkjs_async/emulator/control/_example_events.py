"""
An example of every event, with all that its data consists of.

Not written down: a hidden emulator is made to send each of them, so that an example
looks as the real ones do, under the same switches.
"""

import json
from typing import Any

import attrs

from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit
from talkjs_async.emulator.control._operation import refusal
from talkjs_async.emulator.simulated_users import SimulatedUser

_OUTSIDE = {"notificationId": "ntf_example"}


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
    """Set what a dotted path such as `message.text` points to."""
    *way, last = path.split(".")
    for step in way:
        below = data[step] = data.get(step) if data.get(step) is not None else {}
        if not isinstance(below, dict):
            raise refusal(400, f"set: {path!r} leads through {step!r}, which is no object.")
        data = below
    data[last] = value
