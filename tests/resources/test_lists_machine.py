"""The lists of the client under everything that may happen to an app while they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, get_args, get_type_hints

import anyio
import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async import AsyncTalkJS, SystemMessage
from talkjs_async.emulator import Emulator, Limits, Switches

SWITCHES: Final = {
    name: get_args(get_type_hints(Switches)[name])
    for name in ("unknown_cursor", "order_ties", "limit_over_max")
}

LISTS: Final[dict[str, Callable[[AsyncTalkJS, int | None], Any]]] = {
    "users": lambda talkjs, size: talkjs.users.list(page_size=size),
    "messages": lambda talkjs, size: talkjs.messages.list("r0", page_size=size),
    "conversations of a user": lambda talkjs, size: talkjs.users.list_conversations(
        "u0", page_size=size
    ),
    "conversations, oldest first": lambda talkjs, size: talkjs.conversations.list(
        order_by="createdAt", order_direction="ASC", page_size=size
    ),
    "conversations, newest first": lambda talkjs, size: talkjs.conversations.list(
        order_by="createdAt", page_size=size
    ),
    "conversations, oldest activity first": lambda talkjs, size: talkjs.conversations.list(
        order_direction="ASC", page_size=size
    ),
    "conversations, newest activity first": lambda talkjs, size: talkjs.conversations.list(
        page_size=size
    ),
}

ACTIONS = st.tuples(
    st.integers(1, 6),  # after which page
    st.sampled_from(["delete cursor", "delete page", "delete", "move", "move page", "create"]),
    st.integers(0, 44),  # which record, for the actions that need one
    st.booleans(),  # whether time goes on before it
)
MOST: Final = {"users": 100, "messages": 100}
"""The largest page; of conversations, it is 30."""


class _World(httpx.AsyncBaseTransport):
    """The emulator, and what happens to it after each page."""

    def __init__(self, name: str, size: int | None, actions: list[Any], **switches: Any) -> None:
        self.emulator = Emulator(limits=Limits(rate=1e6, burst=10**6))
        for switch, choice in switches.items():
            setattr(self.emulator.switches, switch, choice)
        self.name = name
        self.largest = size is None or size == MOST.get(name, 30)
        self.actions = actions
        self.pages = 0
        self.staying: set[str] = set()
        self.everything: list[str] = []
        self.others = self.client(self.emulator.transport)

    def client(self, transport: httpx.AsyncBaseTransport) -> AsyncTalkJS:
        emulator = self.emulator
        return AsyncTalkJS(
            emulator.app_id, emulator.secret_key, clock=emulator.clock, transport=transport
        )

    async def begin(self, count: int, *, spread: bool) -> None:
        await self.others.users.upsert("u0", name="Nobody")
        if self.name == "messages":
            await self.others.conversations.upsert("r0")
        for number in range(count):
            if self.name == "users":
                await self.others.users.upsert(f"r{number}", name="x")
            elif self.name == "messages":
                await self.say("r0", str(number))
            else:
                await self.others.conversations.upsert(f"r{number}", participants=["u0"])
            await self.emulator.clock.sleep(0.001 * spread)
        self.everything = [record.id for record in await self.records(self.others, None).collect()]
        self.staying = set(self.everything)

    async def say(self, conversation: str, text: str) -> None:
        await self.others.messages.send_many(conversation, [SystemMessage(text=text)])

    def records(self, talkjs: AsyncTalkJS, size: int | None) -> Any:
        return LISTS[self.name](talkjs, size)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await self.emulator.transport.handle_async_request(request)
        page = [row["id"] for row in json.loads(await response.aread()).get("data", ())]
        self.pages += 1
        assert self.pages < 200, "it never ends"
        for when, action, which, later in self.actions:
            if when == self.pages:
                # In the largest pages, all that was read may move within a millisecond unseen.
                await self.emulator.clock.sleep(0.001 * (later or self.largest))
                await self.act(action, which, page)
        return response

    async def act(self, action: str, which: int, page: list[str]) -> None:
        any_one = self.everything[which : which + 1]
        some = {"delete cursor": page[-1:], "delete page": page, "move page": page}
        for key in some.get(action, any_one):
            if action == "create":
                await self.create()
            elif action.startswith("move"):
                await self.move(key)
            elif key in self.staying:
                await self.delete(key)

    async def create(self) -> None:
        if self.name == "users":
            await self.others.users.upsert(f"new{self.pages}", name="x")
        elif self.name == "messages":
            await self.say("r0", "new")
        else:
            await self.others.conversations.upsert(f"new{self.pages}", participants=["u0"])

    async def move(self, key: str) -> None:
        if self.name.startswith("conversations") and key in self.staying:
            await self.say(key, "moved")

    async def delete(self, key: str) -> None:
        if self.name == "users":
            return
        self.staying.discard(key)
        if self.name == "messages":
            await self.others.messages.delete("r0", message_id=key)
        elif self.name == "conversations of a user" and key[-1] in "02468":
            await self.others.participants.remove(key, user_id="u0")
        else:
            await self.others.conversations.delete(key)


@settings(deadline=None)
@example(name="conversations, oldest activity first", count=40, size=None, spread=True,
         actions=[(1, "move page", 0, True), (2, "delete page", 0, True)],
         unknown_cursor="start", order_ties="id", limit_over_max="clamp")  # fmt: skip
@given(
    name=st.sampled_from(sorted(LISTS)),
    count=st.integers(0, 45),
    size=st.none() | st.integers(1, 30),
    spread=st.booleans(),
    actions=st.lists(ACTIONS, max_size=8),
    **{switch: st.sampled_from(choices) for switch, choices in SWITCHES.items()},
)
def test_each_list_gives_what_is_there_throughout_once(
    name: str, count: int, size: int | None, spread: bool, actions: list[Any], **switches: str
) -> None:
    async def read() -> tuple[list[str], set[str]]:
        world = _World(name, size, actions, **switches)
        await world.begin(count, spread=spread)
        async with world.client(world) as talkjs, world.others:
            found = [record.id async for record in world.records(talkjs, size)]
        return found, world.staying

    found, staying = anyio.run(read)

    assert len(found) == len(set(found))
    assert staying <= set(found)
