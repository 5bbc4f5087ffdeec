"""Running FastAPI apps: in process, and under uvicorn on a port."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn
from fastapi import FastAPI

HOOK = "/webhooks/talkjs"

MakeApp = Callable[..., FastAPI]

TIMEOUT = 20.0
"""Seconds after which a test that hangs fails."""


def webhook(event_id: str = "evt_1", kind: str = "user.created", **data: Any) -> bytes:
    """Make the body of a webhook; without *data*, that of the new user alice."""
    data = data or {"user": {"id": "alice", "name": "Alice", "createdAt": 0}}
    return json.dumps({"id": event_id, "type": kind, "createdAt": 0, "data": data}).encode()


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run the app's lifespan and give a client that calls it in process."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as http,
    ):
        yield http


class Served:
    """
    An app under uvicorn, in a thread of its own, on a free port.

    Its port takes connections from the beginning, and the first request waits until it is ready.
    """

    def __init__(self, app: FastAPI) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask it to end, as a signal would."""
        self._server.should_exit = True

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()


def wait_until(true: Callable[[], bool]) -> None:
    """Poll until something is so, from another thread than the one in which it happens."""
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.002)
