"""
What one attempt may take of time and bytes, and how far it has come.

One deadline for the attempt: the timeouts of the HTTP library bound single reads, and a server that
sends a byte now and then never exceeds them. The streams of a connection ask here before each wait,
which costs less than a cancel scope around the call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from talkjs_async.errors import DecodeError

if TYPE_CHECKING:
    import socket

    import httpcore


_HEAD: Final = 128 * 1024
"""Bytes of an answer that may travel besides its body: status, headers, and what frames it."""


class Terms(NamedTuple):
    """
    What the answer to one request may take.

    Attributes:
        seconds: From the first byte of the request to the last byte of the answer.
        largest: Bytes of the body, as they travel and again when they are decoded.
        restarts: Whether the clock runs from the last byte of the request, as for an upload.
        in_all: Seconds from the first byte of the request, also where the clock restarts.
    """

    seconds: float = math.inf
    largest: float = math.inf
    restarts: bool = False
    in_all: float = math.inf


class Watch:
    """
    What one attempt may take of time and bytes.

    Attributes:
        begun: Whether a byte of the request may have left.
    """

    __slots__ = ("_bytes", "_deadline", "_ends_at", "_handshakes", "_terms", "begun")

    def __init__(self) -> None:
        self._terms = Terms()
        self._deadline = self._ends_at = math.inf
        self._bytes = self._handshakes = 0
        self.begun = False

    def renew(self, request: httpcore.Request, *, handshakes: int) -> None:
        """
        Begin an attempt.

        The clock runs from now on for connecting, and anew from the first byte of the request.

        Args:
            request: Has its `Terms` in `extensions["terms"]`.
            handshakes: Of TLS, that come before the request: what httpcore writes after them, and
                only that, is the request.
        """
        self._terms = request.extensions.get("terms", self._terms)
        self._bytes = 0
        self.begun = False
        self._handshakes = handshakes
        seconds = request.extensions.get("timeout", {}).get("connect")
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds

    def shook_hands(self) -> None:
        """Note a TLS handshake; the one with the host itself, the last, ends the connecting."""
        self._handshakes -= 1

    def writing(self) -> bool:
        """
        Start the clock of the exchange, if it is the request that is about to be written.

        Returns:
            Whether that begins now.
        """
        begins = self._handshakes <= 0 and not self.begun
        if begins or (self.begun and self._terms.restarts):
            now = time.monotonic()
            if begins:
                self.begun = True
                self._ends_at = now + self._terms.in_all
            self._deadline = min(now + self._terms.seconds, self._ends_at)
        return begins

    def count(self, size: int) -> None:
        """Refuse an answer that has grown too large, wherever in it the bytes are."""
        # What connecting takes is no answer.
        self._bytes += size if self.begun else 0
        if self._bytes > self._terms.largest + _HEAD:
            raise too_large(self._terms.largest)

    async def wait(
        self,
        until: Callable[[socket.socket], Awaitable[None]],
        sock: socket.socket,
        seconds: float | None,
        late: type[Exception],
    ) -> None:
        """Wait for *sock*; raise *late* after *seconds* or at the deadline."""
        left = self._deadline - time.monotonic()
        if seconds is not None and seconds < left:
            left = seconds
        if left == math.inf:
            await until(sock)
            return
        with anyio.move_on_after(left) as scope:
            await until(sock)
        if scope.cancelled_caught:
            raise late("too slow")


def too_large(most: float) -> DecodeError:
    """Refuse an answer. It is never asked for again: it would be as large."""
    return DecodeError(
        json_path="$", expected=f"at most {most:.0f} bytes (max_answer_bytes)", got="more"
    )
