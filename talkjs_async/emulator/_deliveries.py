"""Webhook deliveries: event types, receivers, attempts and signatures."""

import hmac
from collections.abc import Mapping
from typing import Literal, get_args

import attrs

from talkjs_async.emulator._asgi_messages import AsgiCallable
from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator.clock import EmulatorClock

# Source: the documentation's page "Webhooks" (documented; the retry's delay is not).
EVENT_TYPES = (
    "user.created",
    "user.updated",
    "message.sent",
    "message.read",
    "message.updated",
    "message.deleted",
    "conversation.deleted",
    "notification.triggered",
    "notification.sent",
    "notification.delivered",
    "notification.bounced",
    "notification.opened",
    "notification.link.clicked",
)
Tampering = Literal["body", "signature", "timestamp"]
TAMPERING: tuple[Tampering, ...] = get_args(Tampering)


@attrs.frozen(kw_only=True)
class Delivery(ListsAttributes):
    """
    One attempt to deliver one event.

    Attributes:
        number: Position among all attempts, from 1.
        event_id, event_type: What was delivered.
        target: The URL, or a description of the application.
        attempt: 1, or 2 for the retry.
        at: Unix time in seconds.
        status: What the receiver answered. None: nothing, or too late.
        error: Why there is no status; or, beside a status other than 200, what the receiver said.
        headers, body: What was sent.
        event: The body before tampering.
        tampering: What was changed in it on purpose.
    """

    number: int
    event_id: str
    event_type: str
    target: str
    attempt: int
    at: float
    status: int | None
    error: str | None
    # A failing assertion prints it: without the same JSON twice.
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    event: bytes = attrs.field(repr=False)
    tampering: Tampering | None = None


@attrs.define(eq=False, kw_only=True)
class Receiver(ListsAttributes):
    """Where events go: a URL, or an ASGI application in this process."""

    target: str | AsgiCallable
    path: str
    events: frozenset[str] | None
    clock: EmulatorClock
    """What the receiver compares timestamps with."""

    @property
    def name(self) -> str:
        """Return its name for the log."""
        return self.target if isinstance(self.target, str) else f"asgi:{self.path}"

    def wants(self, event_type: str) -> bool:
        """Tell whether events of a type go here."""
        return self.events is None or event_type in self.events


@attrs.frozen(eq=False)
class WaitingEvent:
    """One event on its way to one receiver."""

    event_id: str
    event_type: str
    body: bytes
    receiver: Receiver
    tampering: Tampering | None = None

    def signed(self, secret_key: str, *, seconds: bool) -> tuple[dict[str, str], bytes]:
        """
        Return headers and body, with *tampering* applied.

        Args:
            secret_key: The key to sign with.
            seconds: Whether the timestamp counts seconds, not milliseconds.
        """
        body, now = self.body, self.receiver.clock.time()
        timestamp = str(int(now if seconds else now * 1000))
        signature = sign(secret_key, timestamp, body)
        if self.tampering == "body":
            body = body.replace(b'"id"', b'"ID"', 1)
        elif self.tampering == "signature":
            signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        elif self.tampering == "timestamp":
            timestamp = str(int(timestamp) + 1)
        headers = {
            "content-type": "application/json",
            "x-talkjs-timestamp": timestamp,
            "x-talkjs-signature": signature,
        }
        return headers, body


def sign(secret_key: str, timestamp: str, body: bytes) -> str:
    """Return the signature that proves that a body came from here."""
    signed = timestamp.encode() + b"." + body
    return hmac.digest(secret_key.encode(), signed, "sha256").hex().upper()
