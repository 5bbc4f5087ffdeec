"""
Forged webhooks, by the million: `python -m tests.forge 1000000`.

Every bit of body, timestamp and signature flipped, every cut, swapped parts, wrong keys, replays.
None of them may be accepted, and none may end in anything but WebhookError.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Iterator

import attrs

from talkjs_async.errors import WebhookError
from talkjs_async.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhooks

NOW = 1_750_000_000.0
KEY = "sk_test_genuine"


@attrs.frozen
class Request:
    """A webhook on its way."""

    body: bytes
    timestamp: bytes
    signature: bytes

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI servers hand them over."""
        return [
            (TIMESTAMP_HEADER.lower().encode(), self.timestamp),
            (SIGNATURE_HEADER.lower().encode(), self.signature),
        ]


@attrs.define
class Forgeries:
    """What came of them."""

    tried: int = 0
    accepted: list[Request] = attrs.field(factory=list[Request])


class StoppedClock:
    """Always NOW, plus what was asked for."""

    def __init__(self, later: float = 0.0) -> None:
        self._later = later

    def time(self) -> float:
        return NOW + self._later

    def monotonic(self) -> float:
        return self.time()

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


GENUINE = Webhooks(KEY, clock=StoppedClock())
STRANGER = Webhooks("sk_test_stranger", clock=StoppedClock())
TOMORROW = Webhooks(KEY, clock=StoppedClock(86_400.0))


def accepts(webhooks: Webhooks, headers: object, body: bytes) -> bool:
    """Tell whether a request gives an event. Any error but ours goes through."""
    try:
        webhooks.verify(body, headers)  # type: ignore[arg-type]
    except WebhookError:
        return False
    return True


def genuine(number: int, signer: Webhooks = GENUINE) -> Request:
    """Sign the event of that number."""
    words = random.Random(number).choices(["alpha", "Ünicode", "😀", '"', "0"], k=5)
    event = {"id": f"evt_{number}", "type": "app.x", "data": {"text": " ".join(words)}}
    body = json.dumps(event, ensure_ascii=bool(number % 2)).encode()
    headers = signer.sign(body)
    return Request(body, headers[TIMESTAMP_HEADER].encode(), headers[SIGNATURE_HEADER].encode())


def refused_genuine(count: int) -> list[Request]:
    """Return the genuine ones that were refused; there must be none."""
    requests = map(genuine, range(count))
    return [r for r in requests if not accepts(GENUINE, r.headers, r.body)]


def run(limit: int) -> Forgeries:
    """Try *limit* forgeries."""
    result = Forgeries()
    for webhooks, request in itertools.islice(_forgeries(), limit):
        result.tried += 1
        if accepts(webhooks, request.headers, request.body):
            result.accepted.append(request)
    return result


def _forgeries() -> Iterator[tuple[Webhooks, Request]]:
    """Yield the receiver and the forgery, without end."""
    for number in itertools.count():
        real, other = genuine(number), genuine(number + 1)
        for part in ("body", "timestamp", "signature"):
            for changed in _changes(getattr(real, part)):
                if not _equivalent(part, changed, getattr(real, part)):
                    yield GENUINE, attrs.evolve(real, **{part: changed})
            yield GENUINE, attrs.evolve(real, **{part: getattr(other, part) + b"0"})
        yield GENUINE, attrs.evolve(real, body=other.body)
        yield GENUINE, attrs.evolve(real, signature=other.signature)
        yield GENUINE, genuine(number, STRANGER)
        yield TOMORROW, real


def _changes(value: bytes) -> Iterator[bytes]:
    for index, bit in itertools.product(range(len(value)), range(8)):
        yield value[:index] + bytes([value[index] ^ 1 << bit]) + value[index + 1 :]
    for index in range(len(value)):
        yield value[:index]
        yield value[:index] + value[index + 1 :]
        yield value[:index] + b"0" + value[index:]


def _equivalent(part: str, changed: bytes, real: bytes) -> bool:
    """
    Tell whether a change leaves the meaning alone: such a request is genuine.

    Letters of the signature may be small, and a header may have spaces around it.
    """
    if part == "body":
        return changed == real
    return changed.strip(b" \t").upper() == real.upper()


def main(argv: list[str]) -> int:
    """Try as many as the first argument says, and report."""
    limit = int(argv[0]) if argv else 1_000_000
    refused = refused_genuine(10_000)
    started = time.perf_counter()
    result = run(limit)
    took = time.perf_counter() - started
    print(f"genuine refused: {len(refused)} of 10000")  # noqa: T201 - it is a program
    print(f"forged accepted: {len(result.accepted)} of {result.tried} in {took:.0f} s")  # noqa: T201
    return 1 if refused or result.accepted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
