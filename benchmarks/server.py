"""
The server that benchmarks call: as cheap as it gets, so that the client is what is measured.

`/v1/...` is answered with a user, a list of messages with the pages of a conversation whose ID is
the number of its messages, anything else with an object that every rival's SDK accepts. Started as
a process of its own, which prints its port first.

    python -m benchmarks.server CERTIFICATE DELAY
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial

from benchmarks.measure import ROOT, stay_on

PAGE = 100
"""Messages per page: TalkJS's most."""

USER = json.dumps(
    {
        "id": "alice",
        "name": "Alice",
        "email": ["alice@example.com"],
        "phone": None,
        "photoUrl": "https://example.com/alice.png",
        "role": "default",
        "welcomeMessage": None,
        "locale": "en-US",
        "custom": {"plan": "pro", "seats": "12"},
        "createdAt": 1_700_000_000_000,
        "availabilityText": None,
    }
).encode()

ANYTHING = json.dumps(
    {
        "ok": True,
        "id": "alice",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "alice",
        "name": "Alice",
        "email": "alice@example.com",
        "metadata": {"plan": "pro", "seats": "12"},
        "duration": "1.00ms",
        "users": [],
        "user": {"id": "alice", "name": "Alice", "custom": {"plan": "pro", "seats": "12"}},
    }
).encode()

_OLDEST = 1_700_000_000_000
_WRITTEN = b"1999999999999"
"""Stands for the moment at which a message was written; lists are ordered by it."""

_LIST = re.compile(rb"GET \S*/conversations/(\d+)/messages\?(\S*) ")
_AFTER = re.compile(rb"startingAfter=msg_0*(\d+)")
_ID = re.compile(rb"msg_\d{22}")


def answer(head: bytes) -> bytes:
    """The whole response to a request that begins with *head*."""
    listing = _LIST.match(head)
    if listing:
        after = _AFTER.search(listing[2])
        body = page(int(listing[1]), int(after[1]) if after else None)
    else:
        body = USER if b" /v1/" in head[:12] else ANYTHING
    start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return start % len(body) + body


def page(total: int, after: int | None) -> bytes:
    """
    Messages of a conversation, numbered downwards.

    Args:
        total: How many there are: so many pages of PAGE messages.
        after: Number of the one before. None: from the first.
    """
    first = total - 1 if after is None else after - 1
    if first < 0:
        return b'{"data": []}'
    pieces = _template()
    out = [pieces[0]]
    for step, piece in enumerate(pieces[1:]):
        number = first - step
        out += (b"msg_%022d" % number, piece.replace(_WRITTEN, b"%d" % (_OLDEST + number)))
    whole = b"".join(out)
    if first >= PAGE - 1:
        return whole
    return json.dumps({"data": json.loads(whole)["data"][: first + 1]}).encode()


@cache
def _template() -> list[bytes]:
    # The same mix of messages as the benchmark of decoding, cut where the IDs are; replies go, so
    # that there is one ID per message.
    from benchmarks.decode import page as messages

    records = json.loads(messages())["data"]
    for record in records:
        record["referencedMessageId"] = None
        record["createdAt"] = int(_WRITTEN)
    return _ID.split(json.dumps({"data": records}).encode())


class Connection(asyncio.Protocol):
    """One client. Bodies of requests are thrown away. *delay*: seconds that each answer takes."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there as a whole."""
        self.received += data
        while True:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            size = int(length[1]) if length else 0
            if not end or len(rest) < size:
                return
            self.received = rest[size:]
            if self.delay:
                loop = asyncio.get_running_loop()
                loop.call_later(self.delay, self.transport.write, answer(head))
            else:
                self.transport.write(answer(head))


async def listen(certificate: str, delay: float) -> None:
    """
    Serve for ever.

    Args:
        certificate: A PEM file with a key, to speak TLS with; "": plain HTTP.
        delay: Seconds that each answer takes, as if the server were far away.
    """
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    make = partial(Connection, delay)
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=4096, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(certificate: str = "", delay: float = 0) -> Iterator[str]:
    """Run the server in a process; yield its URL. See `listen`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", certificate, str(delay)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        host = "https://localhost" if certificate else "http://127.0.0.1"
        yield f"{host}:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    stay_on(-1)
    asyncio.run(listen(sys.argv[1], float(sys.argv[2])))
