"""
Webhooks: signed, delivered, and delivered once more if the receiver does not answer 200.

Documented: a POST of `{"id", "type", "createdAt", "data"}`; `X-TalkJS-Timestamp`, and in
`X-TalkJS-Signature` the uppercase hex HMAC-SHA256 of timestamp, "." and the raw body under the
secret key; 5 seconds to answer; a single retry. Not documented, so settings here: the unit of the
timestamp (a switch), and when the retry comes.

Nothing is sent by itself in process: events wait until `settle()`. An emulator on a port delivers
as they come.
"""

import copy
import hmac
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import attrs

from talkjs_async.emulator._asgi_messages import AsgiCallable
from talkjs_async.emulator._ids import IdGenerator
from talkjs_async.emulator._receivers import Answer, call_asgi, call_url
from talkjs_async.emulator._responses import encode
from talkjs_async.emulator.clock import EmulatorClock, RealClock
from talkjs_async.emulator.switches import Switches

__all__ = ["EVENT_TYPES", "Delivery", "Receiver", "Tampering", "WebhookSender"]

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
_TIMEOUT = 5.0
_RETRY_DELAY = 1.0

Tampering = Literal["body", "signature", "timestamp"]


@attrs.frozen(kw_only=True)
class Delivery:
    """
    One attempt to deliver one event.

    Attributes:
        event_id, event_type: What was delivered.
        target: The URL, or a description of the application.
        attempt: 1, or 2 for the retry.
        at: Unix time in seconds.
        status: What the receiver answered. None: nothing, or too late.
        error: Why there is no status; or, beside a status other than 200, what the receiver said.
        headers, body: What was sent.
        tampering: What was spoilt in it on purpose.
    """

    event_id: str
    event_type: str
    target: str
    attempt: int
    at: float
    status: int | None
    error: str | None
    headers: Mapping[str, str]
    body: bytes
    tampering: Tampering | None = None


@attrs.define(eq=False, kw_only=True)
class Receiver:
    """Where events go: a URL, or an ASGI application in this process."""

    target: str | AsgiCallable
    path: str
    events: frozenset[str] | None
    clock: EmulatorClock
    """What the receiver compares timestamps with."""

    @property
    def name(self) -> str:
        """Return what to call it in the log."""
        return self.target if isinstance(self.target, str) else f"asgi:{self.path}"


@attrs.define(eq=False, kw_only=True)
class _Pending:
    event: dict[str, Any]
    receiver: Receiver
    tampering: Tampering | None = None


class WebhookSender:
    """
    The webhooks of one emulator.

    Attributes:
        secret_key: What signs them: the key "marked for webhooks" (documented).
        timeout: Seconds that a receiver has.
        retry_delay: Seconds until the only retry, on the emulator's clock.
        deliveries: Every attempt so far.
    """

    def __init__(
        self,
        *,
        secret_key: str,
        clock: EmulatorClock,
        ids: IdGenerator,
        switches: Switches,
        seed: int | str,
        log_limit: int | None,
    ) -> None:
        self.secret_key = secret_key
        self.switches = switches
        self.timeout = _TIMEOUT
        self.retry_delay = _RETRY_DELAY
        self.deliveries: deque[Delivery] = deque(maxlen=log_limit)
        self.delivered: int = 0
        """How many attempts there have been, the forgotten ones included."""
        self.on_event: Callable[[], object] | None = None
        """Called whenever an event starts to wait, from whatever thread."""
        self._receivers: list[Receiver] = []
        self._pending: deque[_Pending] = deque()
        self._clock = clock
        self._ids = ids
        self._random = random.Random(f"hooks:{seed}")  # noqa: S311  # repeatable

    def to(
        self,
        target: str | AsgiCallable,
        *,
        path: str = "/",
        events: Collection[str] | None = None,
        clock: EmulatorClock | None = None,
    ) -> Receiver:
        """
        Send events to a URL, or to an ASGI application in this process.

        Args:
            target: The URL or the application.
            path: Where in the application. A URL has its own.
            events: Only these types. None: all of them.
            clock: What the receiver compares timestamps with. None: the machine's for a URL, the
                emulator's own for an application.
        """
        unknown = set(events or ()) - set(EVENT_TYPES)
        if unknown:
            raise ValueError(f"There are no events {sorted(unknown)}; see EVENT_TYPES.")
        wanted = None if events is None else frozenset(events)
        if clock is None:
            clock = RealClock() if isinstance(target, str) else self._clock
        receiver = Receiver(target=target, path=path, events=wanted, clock=clock)
        self._receivers.append(receiver)
        return receiver

    def remove(self, receiver: Receiver) -> None:
        """Send nothing more there."""
        self._receivers.remove(receiver)

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        """Where events go."""
        return tuple(self._receivers)

    @property
    def pending(self) -> tuple[dict[str, Any], ...]:
        """Events that wait to be delivered, once per receiver."""
        return tuple(entry.event for entry in self._pending)

    def emit(self, event_type: str, data: Callable[[], dict[str, Any]]) -> None:
        """Note that something happened. *data* is only called if a receiver wants it."""
        receivers = [
            receiver
            for receiver in self._receivers
            if receiver.events is None or event_type in receiver.events
        ]
        if not receivers:
            return
        event = {
            "id": self._ids.make("evt_"),
            "type": event_type,
            "createdAt": int(self._clock.time() * 1000),
            # What it looks like now: the records behind it go on changing.
            "data": copy.deepcopy(data()),
        }
        self._pending.extend(_Pending(event=event, receiver=receiver) for receiver in receivers)
        if self.on_event is not None:
            self.on_event()

    def trigger(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Send an event whose cause is outside of the emulator, such as an opened e-mail."""
        self.emit(event_type, lambda: dict(data))

    def duplicate(self) -> None:
        """Have everything that waits delivered twice."""
        self._pending.extend([attrs.evolve(entry) for entry in self._pending])

    def reorder(self) -> None:
        """Shuffle what waits. No order is promised (nothing found)."""
        self._random.shuffle(self._pending)

    def tamper(self, what: Tampering) -> None:
        """Spoil the body, the signature or the timestamp of everything that waits."""
        for entry in self._pending:
            entry.tampering = what

    async def settle(self) -> list[Delivery]:
        """Deliver everything that waits, retries included; return the attempts made."""
        attempts: list[Delivery] = []
        while self._pending:
            entry = self._pending.popleft()
            attempts.append(await self._deliver(entry, attempt=1))
            if attempts[-1].status != 200:
                await self._clock.sleep(self.retry_delay)
                attempts.append(await self._deliver(entry, attempt=2))
        return attempts

    def clear(self) -> None:
        """Forget what waits and what was delivered, but not where it goes."""
        self._pending.clear()
        self.deliveries.clear()

    def signature(self, timestamp: str, body: bytes) -> str:
        """Return the signature that proves that a body came from here."""
        signed = timestamp.encode() + b"." + body
        return hmac.digest(self.secret_key.encode(), signed, "sha256").hex().upper()

    async def _deliver(self, entry: _Pending, *, attempt: int) -> Delivery:
        at = self._clock.time()
        headers, body = self._signed(entry)
        status, error = None, None
        try:
            status, error = await self._call(entry.receiver, headers, body)
        except Exception as failure:  # noqa: BLE001  # whatever a receiver does, TalkJS lives on
            error = f"{type(failure).__name__}: {failure}"
        delivery = Delivery(
            event_id=entry.event["id"],
            event_type=entry.event["type"],
            target=entry.receiver.name,
            attempt=attempt,
            at=at,
            status=status,
            error=error,
            headers=headers,
            body=body,
            tampering=entry.tampering,
        )
        self.deliveries.append(delivery)
        self.delivered += 1
        return delivery

    async def _call(self, receiver: Receiver, headers: Mapping[str, str], body: bytes) -> Answer:
        target, limit = receiver.target, self.timeout
        if isinstance(target, str):
            return await call_url(target, headers, body, limit=limit)
        return await call_asgi(target, receiver.path, headers, body, limit=limit, clock=self._clock)

    def _signed(self, entry: _Pending) -> tuple[dict[str, str], bytes]:
        body = encode(entry.event)
        seconds = self.switches.webhook_timestamp == "seconds"
        now = entry.receiver.clock.time()
        timestamp = str(int(now if seconds else now * 1000))
        signature = self.signature(timestamp, body)
        if entry.tampering == "body":
            body = body.replace(b'"id"', b'"ID"', 1)
        elif entry.tampering == "signature":
            signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        elif entry.tampering == "timestamp":
            timestamp = str(int(timestamp) + 1)
        headers = {
            "content-type": "application/json",
            "x-talkjs-timestamp": timestamp,
            "x-talkjs-signature": signature,
        }
        return headers, body
