"""What is in the emulator before a test begins."""

from typing import Any

from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._operation import Argument, Arguments, Operation


def _seed(world: World, _: Arguments) -> Any:
    fill_with_demo(world)
    return {}


DATA = (
    Operation(
        method="POST",
        path="/seed",
        summary="Fill the emulator",
        body={"name": Argument({"enum": ["demo"]}, "Which example.", required=True)},
        handler=_seed,
    ),
)
