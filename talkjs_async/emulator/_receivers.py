"""How a webhook reaches its receiver: over HTTP, or by calling an ASGI application."""

from collections.abc import Mapping
from typing import Any

import anyio

from talkjs_async.emulator._asgi_messages import AsgiCallable, AsgiMessage
from talkjs_async.emulator.clock import EmulatorClock

Answer = tuple[int, str | None]
"""The status, and beside one other than 200 what the receiver says about it."""

# Characters of what a receiver says: enough for a reason, too little for a page of HTML.
_LONGEST_REASON = 500


class NoAnswerInTime(Exception):
    """The receiver did not answer in time."""

    def __init__(self) -> None:
        super().__init__("No answer in time.")


async def call_url(url: str, headers: Mapping[str, str], body: bytes, *, limit: float) -> Answer:
    """POST to a URL; return the answer."""
    # Not at the top: most emulators have no webhooks, and httpx is slow to import.
    import httpx  # noqa: PLC0415

    # Certificates take longer to load than the rest of the delivery.
    secure = url.startswith("https:")
    with anyio.move_on_after(limit):
        async with httpx.AsyncClient(timeout=limit, verify=secure) as client:
            answer = await client.post(url, content=body, headers=dict(headers))
        return answer.status_code, _reason(answer.status_code, answer.content)
    raise NoAnswerInTime


async def call_asgi(
    app: AsgiCallable,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    limit: float,
    clock: EmulatorClock,
) -> Answer:
    """
    POST to an application; return the answer.

    Returns when the application has ended, so that what it does after its answer (background
    tasks) is done, too. The time limit is for the answer alone. It runs in real time, because
    a receiver may wait for something real, for which a virtual clock would not wait; but an
    answer that took longer on *clock* was too late all the same.
    """
    call = _AsgiCall(app, _scope(path, headers, body), body)
    began = clock.monotonic()
    in_time = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.run)
        with anyio.move_on_after(limit):
            await call.answered.wait()
            in_time = clock.monotonic() - began <= limit
        if not call.answered.is_set():
            tasks.cancel_scope.cancel()
    if not in_time:
        raise NoAnswerInTime
    if call.status is None:
        raise call.failure or RuntimeError("The application sent no answer.")
    reason = _reason(call.status, call.body)
    if call.failure is not None and call.status != 200:
        # Frameworks answer a bare 500 before they let an exception through.
        reason = f"{type(call.failure).__name__}: {call.failure}"
    return call.status, reason


def _reason(status: int, body: bytes) -> str | None:
    text = body[:_LONGEST_REASON].decode(errors="replace").strip()
    return text if text and status != 200 else None


class _AsgiCall:
    """One call of an application."""

    def __init__(self, app: AsgiCallable, scope: dict[str, Any], body: bytes) -> None:
        self.answered = anyio.Event()
        self.status: int | None = None
        self.failure: Exception | None = None
        self.body = b""
        self._app = app
        self._scope = scope
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it is the receiver's
            self.failure = failure
        finally:
            self.answered.set()

    async def _receive(self) -> AsgiMessage:
        if not self._messages:
            # The connection stays open until the application ends.
            await anyio.sleep_forever()
        return self._messages.pop()

    async def _send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if len(self.body) < _LONGEST_REASON:
            self.body += message.get("body", b"")
        if not message.get("more_body", False):
            self.answered.set()


def _scope(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw_headers += [(b"host", b"webhooks"), (b"content-length", str(len(body)).encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": raw_headers,
        "client": ("127.0.0.1", 0),
        "server": ("webhooks", 80),
    }
