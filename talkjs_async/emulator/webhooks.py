"""
Webhooks: signed, delivered, and delivered once more if the receiver does not answer 200.

Documented: a POST of `{"id", "type", "createdAt", "data"}`; `X-TalkJS-Timestamp`, and in
`X-TalkJS-Signature` the uppercase hex HMAC-SHA256 of timestamp, "." and the raw body under the
secret key; 5 seconds to answer; a single retry. Not documented, so settings here: the unit of the
timestamp (a switch), and when the retry comes.

Nothing is sent by itself in process: events wait until `settle()`. An emulator on a port delivers
as they come. Every receiver has a queue of its own, so that one that does not answer holds up no
other.
"""

import itertools
import json
import random
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs

from talkjs_async.emulator._asgi_messages import AsgiCallable
from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._deliveries import (
    EVENT_TYPES,
    TAMPERING,
    Delivery,
    Receiver,
    Tampering,
    WaitingEvent,
    sign,
)
from talkjs_async.emulator._ids import IdGenerator
from talkjs_async.emulator._receivers import Answer, call_asgi, call_url
from talkjs_async.emulator._responses import encode
from talkjs_async.emulator.clock import EmulatorClock, RealClock
from talkjs_async.emulator.switches import Switches

__all__ = ["EVENT_TYPES", "TAMPERING", "Delivery", "Receiver", "Tampering", "WebhookSender"]

_TIMEOUT = 5.0
_RETRY_DELAY = 1.0
_SECONDS_BETWEEN_LOOKS = 0.005


class WebhookSender(ListsAttributes):
    """
    The webhooks of one emulator.

    Attributes:
        secret_key: What signs them: the key "marked for webhooks" (documented).
        timeout: Seconds that a receiver has.
        retry_delay: Seconds until the only retry, on the emulator's clock.
        deliveries: Every attempt so far.
        delivered: How many attempts there have been, the forgotten ones included.
        inbox: The latest events, delivered or not. Empty unless *inbox_limit* allows some.
        held: Events wait, although the emulator is on a port. See `release`.
        muted: Nothing that happens makes an event.
        on_event: Called whenever an event starts to wait, from whatever thread.
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
        inbox_limit: int,
    ) -> None:
        self.secret_key = secret_key
        self.switches = switches
        self.timeout = _TIMEOUT
        self.retry_delay = _RETRY_DELAY
        self.deliveries: deque[Delivery] = deque(maxlen=log_limit)
        self.delivered: int = 0
        self.held: bool = False
        self.muted: bool = False
        self.on_event: Callable[[], object] | None = None
        self._inbox: deque[bytes] = deque(maxlen=inbox_limit)
        self._queues: dict[Receiver, deque[WaitingEvent]] = {}
        self._under_way: set[WaitingEvent] = set()
        self._clearings = 0
        self._clock = clock
        self._ids = ids
        self._seed = seed

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

        Raises:
            ValueError: There are no such events, or nothing can listen at the URL.
        """
        if isinstance(target, str) and not _is_url(target):
            raise ValueError(f"A receiver is at an http:// or https:// URL, not at {target!r}.")
        unknown = sorted(set(events or ()) - set(EVENT_TYPES))
        if unknown:
            raise ValueError(f"There are no events {unknown}; there are: {', '.join(EVENT_TYPES)}.")
        wanted = None if events is None else frozenset(events)
        if clock is None:
            clock = RealClock() if isinstance(target, str) else self._clock
        receiver = Receiver(target=target, path=path, events=wanted, clock=clock)
        self._queues[receiver] = deque()
        return receiver

    def remove(self, receiver: Receiver) -> None:
        """Send nothing more there."""
        del self._queues[receiver]

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        """Where events go."""
        return tuple(self._queues)

    @property
    def pending(self) -> tuple[dict[str, Any], ...]:
        """Events that wait to be delivered, once per receiver."""
        return tuple(json.loads(entry.body) for entry in self._waiting())

    @property
    def waiting(self) -> int:
        """How many events wait to be delivered, once per receiver."""
        return sum(map(len, list(self._queues.values())))

    @property
    def inbox(self) -> tuple[dict[str, Any], ...]:
        """The latest events, the oldest first."""
        return tuple(map(json.loads, list(self._inbox)))

    def emit(self, event_type: str, data: Callable[[], dict[str, Any]]) -> str | None:
        """
        Note that something happened; return the event's ID.

        *data* is only called if a receiver, or the inbox, wants it. None: neither does.
        """
        receivers = [one for one in list(self._queues) if one.wants(event_type)]
        if self.muted or not (receivers or self._inbox.maxlen):
            return None
        event_id = self._ids.make("evt_")
        # Encoded at once, since the records behind it go on changing.
        body = encode(
            {
                "id": event_id,
                "type": event_type,
                "createdAt": int(self._clock.time() * 1000),
                "data": data(),
            }
        )
        self._inbox.append(body)
        for receiver in receivers:
            self._queue(WaitingEvent(event_id, event_type, body, receiver))
        return event_id

    def trigger(self, event_type: str, data: Mapping[str, Any]) -> str | None:
        """Send an event whose cause is outside of the emulator, such as an opened e-mail."""
        if event_type not in EVENT_TYPES:
            there_are = ", ".join(EVENT_TYPES)
            raise ValueError(f"There is no event {event_type!r}; there are: {there_are}.")
        return self.emit(event_type, lambda: dict(data))

    def resend(self, delivery: Delivery) -> int:
        """
        Deliver an event once more, with a new signature, to where it went.

        To all receivers, if that one is gone. Returns to how many.
        """
        there = [one for one in self._queues if one.name == delivery.target] or list(self._queues)
        event = delivery.event_id, delivery.event_type, delivery.event
        for receiver in there:
            self._queue(WaitingEvent(*event, receiver))
        return len(there)

    def duplicate(self) -> None:
        """
        Have everything that waits delivered twice.

        Raises:
            ValueError: Nothing waits: see `tamper`.
        """
        self._check_waiting("duplicate")
        for queue in self._queues.values():
            queue.extend(list(queue))

    def reorder(self) -> None:
        """
        Shuffle what waits, so that it comes in another order. None is promised (nothing found).

        Raises:
            ValueError: Nothing waits: see `tamper`.
        """
        self._check_waiting("reorder")
        for queue in self._queues.values():
            before = list(queue)
            self._random.shuffle(queue)
            if before == list(queue):
                queue.rotate()

    @cached_property
    def _random(self) -> random.Random:
        return random.Random(f"hooks:{self._seed}")  # noqa: S311  # repeatable

    def tamper(self, what: Tampering) -> None:
        """
        Spoil the body, the signature or the timestamp of everything that waits.

        Raises:
            ValueError: Nothing waits: it is too early, before what causes the event, or too late,
                after `settle`; or there is no such thing to spoil.
        """
        if what not in TAMPERING:
            raise ValueError(f"what must be one of {', '.join(TAMPERING)}, not {what!r}.")
        self._check_waiting("tamper")
        for queue in self._queues.values():
            for index, entry in enumerate(queue):
                queue[index] = attrs.evolve(entry, tampering=what)

    def release(self) -> None:
        """Deliver what was held, and everything else as it comes."""
        self.held = False
        self._tell()

    async def settle(self) -> list[Delivery]:
        """
        Deliver everything that waits, retries included; return the attempts made.

        To all receivers at the same time; the attempts are in the order of the receivers.
        """
        attempts: list[Delivery] = []
        # What a receiver does may cause events for one whose queue was empty before.
        while busy := [one for one, queue in list(self._queues.items()) if queue]:
            made: list[list[Delivery]] = [[] for _ in busy]
            async with anyio.create_task_group() as tasks:
                for receiver, attempts_there in zip(busy, made, strict=True):
                    tasks.start_soon(self.drain, receiver, attempts_there)
            attempts += itertools.chain.from_iterable(made)
        return attempts

    async def settled(self) -> None:
        """Deliver everything that waits, and wait for what others deliver at the moment."""
        while self.waiting or self._under_way:
            if not self.held:
                await self.settle()
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)

    async def drain(self, receiver: Receiver, attempts: list[Delivery]) -> None:
        """Deliver what waits for one receiver, in order; add the attempts made to *attempts*."""
        while queue := self._queues.get(receiver):
            entry = queue.popleft()
            clearings = self._clearings
            self._under_way.add(entry)
            try:
                attempts.append(await self._deliver(entry, attempt=1))
                if attempts[-1].status != 200:
                    await self._clock.sleep(self.retry_delay)
                    if clearings == self._clearings:
                        attempts.append(await self._deliver(entry, attempt=2))
            finally:
                self._under_way.discard(entry)

    def clear(self) -> None:
        """Forget what waits, is under way and was delivered, but not where it goes."""
        for queue in self._queues.values():
            queue.clear()
        self._inbox.clear()
        self.deliveries.clear()
        self.delivered = 0
        self._clearings += 1

    def signature(self, timestamp: str, body: bytes) -> str:
        """Return the signature that proves that a body came from here."""
        return sign(self.secret_key, timestamp, body)

    def _check_waiting(self, method: str) -> None:
        """Refuse what would do nothing: unlike a fault, it is no plan for later."""
        if self.waiting:
            return
        if not self._queues:
            raise ValueError(f"{method}() has nothing to act on: name a receiver by to() first.")
        raise ValueError(
            f"No event waits. Call {method}() after what causes the event, and before settle() or "
            "settled(). On a port events are sent as they come, unless held is True."
        )

    def _waiting(self) -> Iterator[WaitingEvent]:
        for queue in list(self._queues.values()):
            yield from list(queue)

    def _queue(self, entry: WaitingEvent) -> None:
        self._queues[entry.receiver].append(entry)
        self._tell()

    def _tell(self) -> None:
        if self.on_event is not None and not self.held:
            self.on_event()

    async def _deliver(self, entry: WaitingEvent, *, attempt: int) -> Delivery:
        at, clearings = self._clock.time(), self._clearings
        seconds = self.switches.webhook_timestamp == "seconds"
        headers, body = entry.signed(self.secret_key, seconds=seconds)
        status, error = None, None
        try:
            status, error = await self._call(entry.receiver, headers, body)
        except Exception as failure:  # noqa: BLE001  # whatever a receiver does, TalkJS lives on
            error = f"{type(failure).__name__}: {failure}"
        delivery = Delivery(
            number=self.delivered + 1,
            event_id=entry.event_id,
            event_type=entry.event_type,
            target=entry.receiver.name,
            attempt=attempt,
            at=at,
            status=status,
            error=error,
            headers=headers,
            body=body,
            event=entry.body,
            tampering=entry.tampering,
        )
        if clearings == self._clearings:
            self.delivered = delivery.number
            self.deliveries.append(delivery)
        return delivery

    async def _call(self, receiver: Receiver, headers: Mapping[str, str], body: bytes) -> Answer:
        target, limit = receiver.target, self.timeout
        if isinstance(target, str):
            return await call_url(target, headers, body, limit=limit)
        return await call_asgi(target, receiver.path, headers, body, limit=limit, clock=self._clock)


def _is_url(target: str) -> bool:
    """Whether something can listen there."""
    if any(letter <= " " or letter == "\x7f" for letter in target):
        return False
    try:
        parts = urlsplit(target)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
