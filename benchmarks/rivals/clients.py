"""
One small GET through everybody's SDK: what the benchmarks of calls compare.

Runs under the interpreter of each contender's own environment, so each imports its library when it
is opened. "raw" is what people write by hand for TalkJS: one client with its default pool, a token
for every request, `raise_for_status` and `response.json`. The pool timeout of httpx is off, because
with it on a burst fails.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from talkjs_async import AsyncTalkJS

SECRET = "sk_test_" + "0" * 32  # made up, and long enough for PyJWT not to warn

Call = Callable[[], Awaitable[object]]
Wire = Callable[[str], Any]
"""From "httpx" or "httpx2" to a transport of it. None: the network."""


async def client(stack: AsyncExitStack, url: str, wire: Wire | None, engine: Any) -> AsyncTalkJS:
    """Our client with the budget's arithmetic; only the budget itself is large."""
    from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket

    talkjs = AsyncTalkJS(
        "app",
        SECRET,
        base_url=url,
        engine=engine,
        budgets=OwnBudgets(TokenBucket(rate=1e6, burst=10**6)),
        transport=wire and wire(engine),
    )
    return await stack.enter_async_context(talkjs)


async def talkjs(stack: AsyncExitStack, url: str, wire: Wire | None, engine: str = "httpx") -> Call:
    """A user by its ID, read into its class."""
    talkjs = await client(stack, url, wire, engine)
    return lambda: talkjs.users.get("alice")


async def talkjs_messages(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """The latest of a conversation's messages: its models are the largest."""
    talkjs = await client(stack, url, wire, "httpx")
    return lambda: talkjs.messages.list("1").first()


async def talkjs_httpx2(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """The same through the extra `[httpx2]`."""
    return await talkjs(stack, url, wire, "httpx2")


def token() -> str:
    """What every hand-written client for TalkJS does before a request."""
    import jwt

    claims = {"tokenType": "app", "iss": "app", "exp": int(time.time()) + 30}
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def raw_httpx(
    stack: AsyncExitStack, url: str, wire: Wire | None, library: str = "httpx"
) -> Call:
    """A client as people write it."""
    module: Any = import_module(library)
    client = await stack.enter_async_context(
        module.AsyncClient(timeout=module.Timeout(60, pool=None), transport=wire and wire(library))
    )

    async def call() -> object:
        response = await client.get(
            f"{url}/v1/app/users/alice", headers={"Authorization": f"Bearer {token()}"}
        )
        response.raise_for_status()
        return response.json()

    return call


async def raw_httpx2(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """The same with httpx2."""
    return await raw_httpx(stack, url, wire, "httpx2")


async def raw_aiohttp(stack: AsyncExitStack, url: str, _wire: Wire | None) -> Call:
    """The same with aiohttp."""
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession())

    async def call() -> object:
        async with session.get(
            f"{url}/v1/app/users/alice", headers={"Authorization": f"Bearer {token()}"}
        ) as response:
            response.raise_for_status()
            return await response.json()

    return call


async def openai(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """A model by its ID, read into its class."""
    library: Any = import_module("openai")
    http = wire and library.DefaultAsyncHttpxClient(transport=wire("httpx2"))
    client = await stack.enter_async_context(
        library.AsyncOpenAI(api_key=SECRET, base_url=url, http_client=http)
    )
    return lambda: client.models.retrieve("alice")


async def stripe(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """A customer by its ID, read into its class."""
    import httpx

    library: Any = import_module("stripe")
    http = library.HTTPXClient()
    if wire:
        http._client_async = httpx.AsyncClient(transport=wire("httpx"))
    stack.push_async_callback(http.close_async)
    client = library.StripeClient(SECRET, base_addresses={"api": url}, http_client=http)
    return lambda: client.v1.customers.retrieve_async("alice")


async def slack_sdk(stack: AsyncExitStack, url: str, _wire: Wire | None) -> Call:
    """A user by its ID, as a dict; with a session, without which it reconnects for every call."""
    from aiohttp import ClientSession

    library: Any = import_module("slack_sdk.web.async_client")
    session = await stack.enter_async_context(ClientSession())
    client = library.AsyncWebClient(token=SECRET, base_url=url + "/", session=session)
    return lambda: client.users_info(user="alice")


async def stream_chat(stack: AsyncExitStack, url: str, _wire: Wire | None) -> Call:
    """A query of users, as a dict; its token is made once."""
    library: Any = import_module("stream_chat")
    client = await stack.enter_async_context(
        library.StreamChatAsync(api_key="key", api_secret=SECRET, base_url=url)
    )
    return lambda: client.query_users({})


async def getstream(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """A query of users, read into its class; its token is made once."""
    library: Any = import_module("getstream")
    query: Any = import_module("getstream.models").QueryUsersPayload
    client = await stack.enter_async_context(
        library.AsyncStream(
            api_key="key", api_secret=SECRET, base_url=url, transport=wire and wire("httpx")
        )
    )
    return lambda: client.query_users(payload=query(filter_conditions={}))


async def githubkit(stack: AsyncExitStack, url: str, wire: Wire | None) -> Call:
    """A user, as a dict; without its HTTP cache, with which a call costs far more."""
    library: Any = import_module("githubkit")
    client = await stack.enter_async_context(
        library.GitHub(
            SECRET, base_url=url, http_cache=False, async_transport=wire and wire("httpx")
        )
    )

    async def call() -> object:
        response = await client.arequest("GET", "/users/alice")
        return response.json()

    return call


class Contender(NamedTuple):
    """
    Somebody to compare.

    Attributes:
        environment: Where it is installed.
        open: Opens its client on the stack and returns one call.
        in_process: Whether it takes a transport of httpx.
    """

    environment: str
    open: Callable[[AsyncExitStack, str, Wire | None], Awaitable[Call]]
    in_process: bool

    def connect(self, stack: AsyncExitStack, url: str) -> Awaitable[Call]:
        """Open it for the server with this URL."""
        return self.open(stack, url, None)


OURS = "talkjs-async"
OURS_MESSAGES = "talkjs-async, messages"
OURS_HTTPX2 = "talkjs-async [httpx2]"
BASELINE = "raw httpx"

CONTENDERS = {
    OURS: Contender("base", talkjs, in_process=True),
    OURS_MESSAGES: Contender("base", talkjs_messages, in_process=True),
    OURS_HTTPX2: Contender("extras", talkjs_httpx2, in_process=True),
    BASELINE: Contender("base", raw_httpx, in_process=True),
    "raw httpx2": Contender("extras", raw_httpx2, in_process=True),
    "raw aiohttp": Contender("extras", raw_aiohttp, in_process=False),
    "openai": Contender("openai", openai, in_process=True),
    "stripe": Contender("stripe", stripe, in_process=True),
    "slack_sdk": Contender("slack_sdk", slack_sdk, in_process=False),
    "stream-chat": Contender("stream-chat", stream_chat, in_process=False),
    "getstream": Contender("getstream", getstream, in_process=True),
    "githubkit": Contender("githubkit", githubkit, in_process=True),
}
