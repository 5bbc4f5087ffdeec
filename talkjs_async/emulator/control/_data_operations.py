"""What is in the emulator before a test begins, and going back to it."""

from typing import Any

from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._seeding import plant
from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._answer_schemas import NOTHING, STORED, TEXTS
from talkjs_async.emulator.control._operation import OBJECT, Argument, Arguments, Operation, refusal


def _seed(world: World, arguments: Arguments) -> Any:
    if "name" in arguments:
        fill_with_demo(world)
    plant(world, {name: arguments[name] for name in arguments if name != "name"})
    return {
        "users": len(world.main_app.users),
        "conversations": len(world.main_app.conversations),
    }


def _keep(world: World, arguments: Arguments) -> Any:
    world.snapshots[arguments["name"]] = world.snapshot()
    return sorted(world.snapshots)


def _list(world: World, _: Arguments) -> Any:
    return sorted(world.snapshots)


def _restore(world: World, arguments: Arguments) -> Any:
    snapshot = world.snapshots.get(arguments["name"])
    if snapshot is None:
        raise refusal(404, f"There is no snapshot {arguments['name']!r}; see GET /snapshots.")
    world.restore(snapshot)
    return {}


DATA = (
    Operation(
        method="POST",
        path="/seed",
        answer=STORED,
        summary="Add users, conversations and messages",
        body={
            "name": Argument({"enum": ["demo"]}, "An example that is there."),
            "users": Argument(OBJECT, "User ID to what PUT /users/{id} takes; `at` is when."),
            "conversations": Argument(
                OBJECT, "ID to what PUT /conversations/{id} takes, and `messages`; `at` is when."
            ),
        },
        handler=_seed,
    ),
    Operation(
        method="GET", path="/snapshots", answer=TEXTS, summary="List the snapshots", handler=_list
    ),
    Operation(
        method="PUT",
        path="/snapshots/{name}",
        answer=TEXTS,
        summary="Keep all data as it is",
        handler=_keep,
    ),
    Operation(
        method="POST",
        path="/snapshots/{name}/restore",
        answer=NOTHING,
        summary="Go back to the data of a snapshot",
        handler=_restore,
    ),
)
