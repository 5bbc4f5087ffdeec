"""
A transport of your own around another one: here it counts bytes by path.

Run it with `python examples/own_transport.py`. A transport is httpx's word for what carries a
request; with a real account wrap `httpx.AsyncHTTPTransport()` instead of the emulator's.
"""

from collections import Counter

import anyio
import httpx

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator


class CountingTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.received: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        # The path without the app: /v1/{appId}/users/alice.
        path = "/".join(request.url.path.split("/")[3:4])
        self.received[path] += int(response.headers.get("Content-Length", 0))
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


async def main() -> None:
    emulator = Emulator()
    transport = CountingTransport(emulator.transport)
    async with AsyncTalkJS(
        emulator.app_id, emulator.secret_key, transport=transport, clock=emulator.clock
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.users.get("alice")
        await talkjs.app.get()
    for path, size in transport.received.items():
        print(f"{path or 'app'}: {size > 0}")


anyio.run(main)
