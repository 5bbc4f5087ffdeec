"""
The emulator as an httpx transport: no sockets, no threads, and time on the emulator's clock.

Works for clients of httpx and of httpx2: answers and errors are made with the library that the
request comes from. A broken connection looks exactly as that library shows a real one.
"""

import sys
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import anyio.lowlevel
import httpx

from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._downloads import download
from talkjs_async.emulator._paths import FILES
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import GARBAGE, Response
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit
from talkjs_async.emulator.clock import RealClock

__all__ = ["EmulatorTransport"]


class EmulatorTransport(httpx.AsyncBaseTransport):
    """
    Pass it as `transport=` to an `AsyncClient`.

    You get the request's read timeout on the emulator's clock. Connecting and writing take no
    time here, so their timeouts never fire.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<EmulatorTransport to {self._world!r}>"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        world = self._world
        library = _Library.of(request)
        target, _, query = request.url.raw_path.decode("ascii").partition("?")
        asked = Request(
            method=request.method,
            path=target,
            query=query,
            headers={name.lower(): value for name, value in request.headers.raw},
            body=await request.aread(),
            origin=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
            # A client beside an emulator in real time may keep to the machine's clock.
            sender_time=time.time if isinstance(world.clock, RealClock) else None,
        )
        if target.startswith(FILES):
            return library.response(request, download(world, target))
        waiting = _Waiting(self._world, library, request)
        up, down = world.latency(world.random) if world.latency else (0.0, 0.0)
        await waiting.spend(up)
        context = admit(world, asked)
        await waiting.spend(context.wait)
        answer = handle(world, context)
        # A request over a network always lets other tasks run. After the commit, so that a caller
        # who is cancelled here has to live with not knowing.
        await anyio.lowlevel.checkpoint()
        await waiting.spend(down)
        if answer.cut is not None:
            await self._cut(answer, waiting)
        return library.response(request, answer)

    async def _cut(self, answer: Response, waiting: "_Waiting") -> None:
        library, request = waiting.made_with, waiting.request
        match answer.cut:
            case "refuse":
                raise library.error("ConnectError", "All connection attempts failed", request)
            case "drop":
                reason = "Server disconnected without sending a response."
                raise library.error("RemoteProtocolError", reason, request)
            case "reset":
                raise library.error("ReadError", "", request)
            case "garbage":
                reason = f"illegal status line: {bytearray(GARBAGE.splitlines()[0])!r}"
                raise library.error("RemoteProtocolError", reason, request)
            case "stall":
                await waiting.for_ever()


class _Waiting:
    """Spends time on the emulator's clock, no more than the request's read timeout allows."""

    def __init__(self, world: World, library: "_Library", request: httpx.Request) -> None:
        self.made_with = library
        self.request = request
        self._clock = world.clock
        timeouts = request.extensions.get("timeout") or {}
        self._left: float | None = timeouts.get("read")

    async def spend(self, seconds: float) -> None:
        """Wait, or time out."""
        if seconds <= 0:
            return
        if self._left is None:
            await self._clock.sleep(seconds)
            return
        if seconds > self._left:
            await self._clock.sleep(self._left)
            raise self.made_with.error("ReadTimeout", "", self.request)
        self._left -= seconds
        await self._clock.sleep(seconds)

    async def for_ever(self) -> None:
        """Wait until the read timeout."""
        await self.spend(float("inf"))


class _Library:
    """httpx or httpx2: the same names, different classes."""

    _known: ClassVar[dict[str, "_Library"]] = {}

    def __init__(self, module: Any) -> None:
        self._module = module

        class CutStream(module.AsyncByteStream):  # type: ignore[misc]
            """Half of a body, then the end of the connection."""

            def __init__(self, body: bytes, request: Any) -> None:
                self._body = body
                self._request = request

            async def __aiter__(self) -> AsyncIterator[bytes]:
                received = self._body[: len(self._body) // 2]
                yield received
                raise module.RemoteProtocolError(
                    "peer closed connection without sending complete message body "
                    f"(received {len(received)} bytes, expected {len(self._body)})",
                    request=self._request,
                )

        self._cut_stream = CutStream

    @classmethod
    def of(cls, request: object) -> "_Library":
        """Return the library that a request comes from."""
        name = type(request).__module__.partition(".")[0]
        library = cls._known.get(name)
        if library is None:
            library = cls._known[name] = cls(sys.modules[name])
        return library

    def error(self, name: str, message: str, request: object) -> Exception:
        """Return one of the library's transport errors."""
        error: Exception = getattr(self._module, name)(message, request=request)
        return error

    def response(self, request: object, answer: Response) -> httpx.Response:
        """Return the library's response. httpx2 has a class of its own for it."""
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        if answer.cut == "truncate":
            stream = self._cut_stream(answer.body, request)
        else:
            stream = self._module.ByteStream(answer.body)
        response: httpx.Response = self._module.Response(
            answer.status, headers=headers, stream=stream, request=request
        )
        return response
