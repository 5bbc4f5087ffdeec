"""What a server may do to a TLS handshake, each on a port of its own."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import trustme

from tests.hostile.raw_server import Converse, RawServer, right

ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
"""A fatal one: no agreement on a cipher. RFC 8446, section 6."""


def _saying(content: bytes, *, then_silence: bool = False) -> Converse:
    async def converse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.write(content)
        await writer.drain()
        if then_silence:
            await reader.read()

    return converse


async def _reset(reader: StreamReader, writer: StreamWriter) -> None:
    # What was not read makes the end a reset.
    await asyncio.sleep(0.01)
    writer.transport.abort()


SPOKEN: dict[str, Converse] = {
    "closed in the handshake": _saying(b""),
    "reset in the handshake": _reset,
    "silence in the handshake": _saying(b"", then_silence=True),
    "half a record in the handshake, silence": _saying(b"\x16\x03\x03\x40", then_silence=True),
    "plaintext on a TLS port": _saying(b"HTTP/1.1 400 Speak HTTP\r\n\r\n"),
    "an alert in the handshake": _saying(ALERT),
    "junk in the handshake": _saying(b"\0\xff" * 9000),
}
CERTIFICATES = (
    "a certificate of another authority",
    "a certificate for another host",
    "an expired certificate",
)
HANDSHAKES = (*SPOKEN, *CERTIFICATES)
"""Names of the faults."""


def certified(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    """Make the context of a server with a certificate of *authority*."""
    ended = datetime.now(UTC) - timedelta(days=1) if expired else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, not_after=ended).configure_cert(context)
    return context


@contextmanager
def broken_handshakes(authority: trustme.CA) -> Iterator[dict[str, str]]:
    """Start a server for each fault, and map its name to the URL."""
    contexts = (
        certified(trustme.CA(), "localhost"),
        certified(authority, "elsewhere.test"),
        certified(authority, "localhost", expired=True),
    )
    servers = {name: RawServer(right, converse=converse) for name, converse in SPOKEN.items()}
    servers |= {
        name: RawServer(right, tls=context)
        for name, context in zip(CERTIFICATES, contexts, strict=True)
    }
    with ExitStack() as running:
        for server in servers.values():
            running.enter_context(server)
        yield {name: f"https://localhost:{server.port}" for name, server in servers.items()}
