"""
The emulator on a port, by uvicorn.

In a thread of its own for a `with` block, or in the main thread for the command line. uvicorn is
an extra (`pip install 'talkjs-async[emulator]'`).
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from talkjs_async.emulator._asgi_messages import AsgiCallable
from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator.webhooks import WebhookSender

__all__ = ["Server"]

_INSTALL = (
    "The emulator needs uvicorn to listen on a port. "
    "Install it with: pip install 'talkjs-async[emulator]'"
)
_TIMEOUT = 10.0


class Server(ListsAttributes):
    """
    An emulator that listens on a port.

    Use it as a context manager: it runs in a thread until the block ends. Connections that are
    still open then are closed.
    """

    def __init__(
        self,
        app: AsgiCallable,
        webhooks: WebhookSender,
        *,
        host: str,
        port: int,
        protocol: type[asyncio.Protocol] | None = None,
    ) -> None:
        """
        Take a port; nothing answers there yet.

        Args:
            app: What answers.
            webhooks: What is delivered as it comes.
            host, port: Where to listen.
            protocol: What speaks HTTP. None: the fastest that is installed.
        """
        try:
            from talkjs_async.emulator._uvicorn import EmulatorServer  # noqa: PLC0415  # an extra
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(_INSTALL, name=error.name) from error
        self._socket = _listen(host, port)
        self._server = EmulatorServer(app, webhooks, protocol)
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """What to use instead of `https://api.talkjs.com`."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="talkjs-emulator", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(_TIMEOUT):
            raise RuntimeError("The emulator did not start.")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(_TIMEOUT)

    def run(
        self,
        *,
        on_ready: Callable[[], object] | None = None,
        while_true: Callable[[], bool] | None = None,
    ) -> None:
        """
        Serve in this thread until `stop` is called.

        Args:
            on_ready: Called when it answers.
            while_true: Asked several times a second; False ends it.
        """
        self._server.on_ready = on_ready
        self._server.while_true = while_true
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ask the server to end. Safe from other threads and from signal handlers."""
        self._server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    # One address only, so that port 0 means one port.
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
