"""A raw server that does what real ones do to clients: answer late, hang up, send rubbish."""

from __future__ import annotations

import asyncio

from tests.hostile.raw_server import Exchange, RawServer, answer


class Server(RawServer):
    """
    Answers `GET /ok` with `{}`; other paths are below.

    /hold         answers when `release` is called
    /after/N      answers after N milliseconds
    /drop         hangs up without an answer
    /echo         answers with the body of the request
    /silence      never answers, reads on
    anything else that was given in *answers*: those bytes, and then it hangs up

    Args:
        answers: Path to bytes.
        requests_per_connection: After as many answers it hangs up.
    """

    host = "127.0.0.1"

    def __init__(
        self, *, answers: dict[str, bytes] | None = None, requests_per_connection: int | None = None
    ) -> None:
        super().__init__(self._answer)
        self._answers = answers or {}
        self._requests_per_connection = requests_per_connection
        self._released = asyncio.Event()

    def release(self) -> None:
        """Answer everything that is held, and hold nothing from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.target
        if path in self._answers:
            await exchange.write(self._answers[path])
            exchange.close()
        elif path == "/drop":
            exchange.close()
        elif path == "/silence":
            await exchange.hung_up()
        elif path == "/echo":
            await exchange.write(answer(exchange.body))
        else:
            if path.startswith("/after/"):
                await exchange.stays(asyncio.sleep(int(path[7:]) / 1000))
            elif path == "/hold":
                await exchange.stays(self._released.wait())
            await exchange.write(answer())
        if exchange.on_connection + 1 == self._requests_per_connection:
            exchange.close()
