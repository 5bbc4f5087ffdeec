"""Where webhooks go, and what is done to them."""

from typing import Any

import anyio

from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._answer_schemas import (
    EVENTS,
    NOTHING,
    RECEIVER,
    RECEIVERS,
    SETTLED,
    record,
)
from talkjs_async.emulator.control._example_events import change, example_data
from talkjs_async.emulator.control._operation import (
    COUNT,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    Argument,
    Arguments,
    Operation,
    refusal,
)
from talkjs_async.emulator.webhooks import EVENT_TYPES, TAMPERING, Receiver

_LONGEST_WAIT = 60.0


def _receivers(world: World, _: Arguments) -> Any:
    return [_shown(receiver) for receiver in world.webhooks.receivers]


def _shown(receiver: Receiver) -> dict[str, Any]:
    events = receiver.events
    return {"target": receiver.name, "events": None if events is None else sorted(events)}


def _add(world: World, arguments: Arguments) -> Any:
    url = arguments["url"]
    if not url.startswith(("http://", "https://")):
        raise refusal(400, f"url must begin with http:// or https://, not {url!r}.")
    return _shown(world.webhooks.to(url, events=arguments.get("events")))


def _clear(world: World, _: Arguments) -> Any:
    for receiver in world.webhooks.receivers:
        world.webhooks.remove(receiver)
    return []


def _trigger(world: World, arguments: Arguments) -> Any:
    data = arguments.get("data")
    if data is None:
        data = example_data(world, arguments["type"])
    for path, value in arguments.get("set", {}).items():
        change(data, path, value)
    return {"id": world.webhooks.trigger(arguments["type"], data)}


def _resend(world: World, arguments: Arguments) -> Any:
    for delivery in world.webhooks.deliveries:
        if str(delivery.number) == arguments["number"]:
            return {"receivers": world.webhooks.resend(delivery)}
    raise refusal(404, f"There is no delivery {arguments['number']!r}; see GET /deliveries.")


def _inbox(world: World, _: Arguments) -> Any:
    return list(world.webhooks.inbox)


def _pending(world: World, _: Arguments) -> Any:
    return list(world.webhooks.pending)


def _spoil(world: World, arguments: Arguments) -> Any:
    if not any(arguments.values()):
        raise refusal(400, "Say what to do to them: tamper, reorder or duplicate.")
    if not world.webhooks.waiting:
        raise refusal(
            409,
            "No event waits. POST /events/hold first, then cause one (it needs a receiver, see "
            "GET /webhooks), spoil it, and POST /events/release.",
        )
    if "tamper" in arguments:
        world.webhooks.tamper(arguments["tamper"])
    if arguments.get("reorder"):
        world.webhooks.reorder()
    if arguments.get("duplicate"):
        world.webhooks.duplicate()
    return _pending(world, {})


def _hold(world: World, _: Arguments) -> Any:
    world.webhooks.held = True
    return {}


def _release(world: World, _: Arguments) -> Any:
    world.webhooks.release()
    return {}


async def _settle(world: World, arguments: Arguments) -> Any:
    settled = False
    with anyio.move_on_after(min(arguments.get("timeout", 10.0), _LONGEST_WAIT)):
        await world.webhooks.settled()
        settled = True
    return {"settled": settled, "deliveries": world.webhooks.delivered}


WEBHOOKS = (
    Operation(
        method="GET",
        path="/webhooks",
        answer=RECEIVERS,
        summary="List where webhooks go",
        handler=_receivers,
    ),
    Operation(
        method="POST",
        path="/webhooks",
        answer=RECEIVER,
        summary="Send webhooks to a URL as well",
        body={
            "url": Argument(TEXT, "Where to.", required=True),
            "events": Argument(TEXTS, "Only these types. Without it: all."),
        },
        handler=_add,
    ),
    Operation(
        method="DELETE",
        path="/webhooks",
        answer=RECEIVERS,
        summary="Send webhooks nowhere",
        handler=_clear,
    ),
    Operation(
        method="POST",
        path="/events",
        answer=record(id=TEXT),
        summary="Send an event whose cause is outside of the emulator",
        body={
            "type": Argument({"enum": list(EVENT_TYPES)}, "Its type.", required=True),
            "data": Argument(OBJECT, "Its data. Without it: an example."),
            "set": Argument(
                OBJECT,
                'Changes to fields that it has, such as `{"message.text": "Hi"}`. New keys can be '
                "set in `custom`, `participants` and `reactions`.",
            ),
        },
        handler=_trigger,
    ),
    Operation(
        method="GET",
        path="/inbox",
        answer=EVENTS,
        summary="List the latest events, delivered or not",
        handler=_inbox,
    ),
    Operation(
        method="GET",
        path="/events/pending",
        answer=EVENTS,
        summary="List the events that wait to be delivered, once per receiver",
        handler=_pending,
    ),
    Operation(
        method="POST",
        path="/events/hold",
        answer=NOTHING,
        summary="Let events wait from now on, so that they can be spoilt",
        handler=_hold,
    ),
    Operation(
        method="POST",
        path="/events/spoil",
        answer=EVENTS,
        summary="Spoil the events that wait",
        body={
            "tamper": Argument({"enum": list(TAMPERING)}, "What to spoil in each."),
            "reorder": Argument({"type": "boolean"}, "Shuffle them."),
            "duplicate": Argument({"type": "boolean"}, "Deliver each twice."),
        },
        handler=_spoil,
    ),
    Operation(
        method="POST",
        path="/events/release",
        answer=NOTHING,
        summary="Deliver the events that wait, and all others as they come",
        handler=_release,
    ),
    Operation(
        method="POST",
        path="/deliveries/{number}/resend",
        answer=record(receivers=COUNT),
        summary="Deliver an event once more",
        handler=_resend,
    ),
    Operation(
        method="POST",
        path="/settle",
        answer=SETTLED,
        summary="Wait until every webhook was delivered",
        body={"timeout": Argument(NUMBER, "Seconds to wait at most. Without it: 10.")},
        wait=_settle,
    ),
)
