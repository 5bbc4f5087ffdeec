"""What users do in front of a chat."""

from typing import Any

from talkjs_async.emulator._world import World
from talkjs_async.emulator.control._answer_schemas import NOTHING, record
from talkjs_async.emulator.control._operation import TEXT, Argument, Arguments, Operation, refusal
from talkjs_async.emulator.simulated_users import SimulatedUser

_CONVERSATION = Argument(TEXT, "The conversation's ID.", required=True)


def _say(world: World, arguments: Arguments) -> Any:
    if not arguments["text"]:
        raise refusal(400, "text must not be empty.")
    user = SimulatedUser(world, arguments["user"])
    return {"id": user.say(arguments["conversation"], arguments["text"])}


def _read(world: World, arguments: Arguments) -> Any:
    SimulatedUser(world, arguments["user"]).read(arguments["conversation"])
    return {}


def _type(world: World, arguments: Arguments) -> Any:
    SimulatedUser(world, arguments["user"]).type_in(arguments["conversation"])
    return {}


def _come_online(world: World, arguments: Arguments) -> Any:
    user = SimulatedUser(world, arguments["user"])
    return {"session": user.come_online(conversation=arguments.get("conversation"))}


def _go_offline(world: World, arguments: Arguments) -> Any:
    SimulatedUser(world, arguments["user"]).go_offline()
    return {}


USERS = (
    Operation(
        method="POST",
        path="/users/{user}/say",
        answer=record(id=TEXT),
        summary="Write a message in the chat's own interface",
        body={
            "conversation": _CONVERSATION,
            "text": Argument(TEXT, "What the user writes.", required=True),
        },
        handler=_say,
    ),
    Operation(
        method="POST",
        path="/users/{user}/read",
        answer=NOTHING,
        summary="See everything in a conversation",
        body={"conversation": _CONVERSATION},
        handler=_read,
    ),
    Operation(
        method="POST",
        path="/users/{user}/type",
        answer=NOTHING,
        summary="Start typing",
        body={"conversation": _CONVERSATION},
        handler=_type,
    ),
    Operation(
        method="POST",
        path="/users/{user}/online",
        answer=record(session=TEXT),
        summary="Open a tab",
        body={"conversation": Argument(TEXT, "The one that is selected.")},
        handler=_come_online,
    ),
    Operation(
        method="DELETE",
        path="/users/{user}/online",
        answer=NOTHING,
        summary="Close all tabs",
        handler=_go_offline,
    ),
)
