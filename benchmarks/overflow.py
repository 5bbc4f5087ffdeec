"""
Overflow to batch: what two budgets let through together, and that nobody pays for it.

    python -m benchmarks overflow [--smoke] [--json]

The SDK, whole, against the emulator on its own clock: hours take seconds, and no figure depends on
the machine. Requests travel for 50 ms and answers for 50 ms.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.measure import Result
from benchmarks.tables import Note, Options, Row, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from talkjs_async import AsyncTalkJS
    from talkjs_async.emulator import Emulator

ALONE: Final = "ordinary requests"
BOTH: Final = "with overflow"

ONE_WAY: Final = 0.05

CONVERSATIONS: Final = 50
MESSAGES: Final = 60


class Size(NamedTuple):
    """How much traffic to simulate."""

    operations: int
    burst: int
    minutes: float


FULL: Final = Size(operations=10_000, burst=5_600, minutes=10.0)
SMOKE: Final = Size(operations=6_500, burst=1_600, minutes=1.0)


class World(NamedTuple):
    """A client and the TalkJS that it talks to."""

    talkjs: AsyncTalkJS
    emulator: Emulator

    def now(self) -> float:
        """Seconds of the emulator's time."""
        return self.emulator.clock.monotonic()

    def refused(self) -> int:
        """429s, those of single operations included."""
        return sum(
            429 in {exchange.status, *(operation.status for operation in exchange.operations)}
            for exchange in self.emulator.requests
        )


@asynccontextmanager
async def world(name: str, *, empty: bool, batches: bool = False) -> AsyncIterator[World]:
    """Open one; *empty*: both sides know that the budgets are used up, but for *batches*."""
    from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket
    from talkjs_async.emulator import Emulator, Limits

    tokens = 0.0 if empty else None
    batch_tokens = None if batches else tokens
    emulator = Emulator(
        limits=Limits(enabled=False, initial_tokens=tokens, initial_batch_tokens=batch_tokens),
        latency=lambda _: (ONE_WAY, ONE_WAY),
    )
    secrets = emulator.app_id, emulator.secret_key
    transport, clock = emulator.transport, emulator.clock
    # Two people and their conversations are there before the limits are.
    async with AsyncTalkJS(*secrets, transport=transport, clock=clock) as talkjs:
        for person in ("alice", "bob"):
            await talkjs.users.upsert(person, name=person)
        for number in range(CONVERSATIONS):
            await talkjs.conversations.upsert(f"c{number}", participants=["alice", "bob"])
    emulator.requests.clear()
    emulator.limits = Limits()
    async with AsyncTalkJS(
        *secrets,
        transport=transport,
        clock=clock,
        budgets=OwnBudgets(
            TokenBucket(clock=clock, tokens=tokens),
            TokenBucket(1.0, 500, clock=clock, tokens=batch_tokens),
        ),
        overflow_to_batch=name == BOTH,
    ) as talkjs:
        yield World(talkjs, emulator)


async def at_once(name: str, calls: int) -> Result:
    """
    That many reads at once, out of a rest.

    Returns:
        seconds: Until the last answer.
        requests: How many were sent.
        refused: 429s.
        cpu_us: CPU time per call, of the emulator as well, in microseconds.
    """
    async with world(name, empty=False) as here:
        begun, cpu = here.now(), time.process_time()
        await asyncio.gather(*(here.talkjs.users.get("alice") for _ in range(calls)))
        return {
            "seconds": here.now() - begun,
            "requests": len(here.emulator.requests),
            "refused": here.refused(),
            "cpu_us": (time.process_time() - cpu) / calls * 1e6,
        }


async def sustained(name: str, minutes: float) -> Result:
    """
    Two hundred tasks that read all the time, on budgets that are used up.

    Returns:
        per_s: Calls per second that were answered.
        refused: 429s.
    """
    async with world(name, empty=True) as here:
        end = here.now() + 60 * minutes
        answered = 0

        async def job() -> None:
            nonlocal answered
            while here.now() < end:
                await here.talkjs.users.get("alice")
                answered += here.now() <= end

        await asyncio.gather(*(job() for _ in range(200)))
        return {"per_s": answered / (60 * minutes), "refused": here.refused()}


async def to_one_thing(name: str, messages: int) -> Result:
    """
    That many messages to one conversation at once, with no ordinary token left.

    Returns:
        seconds: Until the last answer.
        refused: 429s.
    """
    async with world(name, empty=True, batches=True) as here:
        begun = here.now()
        send = here.talkjs.messages.send
        await asyncio.gather(
            *(send("c0", sender="alice", text=str(number)) for number in range(messages))
        )
        return {"seconds": here.now() - begun, "refused": here.refused()}


def traffic(minutes: float) -> Iterator[tuple[float, Callable[[AsyncTalkJS], Awaitable[Any]]]]:
    """
    A busy time: more calls than the ordinary budget holds, at random, of all kinds and lanes.

    Yields:
        The second at which a call is made, and the call.
    """
    dice = random.Random(5)
    at, number = 0.0, 0
    while at < 60 * minutes:
        # Every third minute is a rush; twenty come together now and then.
        at += dice.expovariate(25.0 if at // 60 % 3 == 1 else 10.0)
        for _ in range(20 if dice.random() < 0.002 else 1):
            number += 1
            lane = "background" if dice.random() < 0.3 else "interactive"
            where = f"c{dice.randrange(CONVERSATIONS)}"
            yield at, _call(number, lane, where, writes=dice.random() < 0.5)


def _call(
    number: int, lane: Any, where: str, *, writes: bool
) -> Callable[[AsyncTalkJS], Awaitable[Any]]:
    async def call(talkjs: AsyncTalkJS) -> None:
        talkjs = talkjs.with_options(lane=lane)
        if writes:
            await talkjs.messages.send(where, sender="alice", text=str(number))
        else:
            await talkjs.conversations.get(where)

    return call


async def busy(name: str, minutes: float) -> list[float]:
    """Return how long each call of `traffic` took, on budgets that are used up."""
    async with world(name, empty=True) as here:
        calls = list(traffic(minutes))
        took = [0.0] * len(calls)
        start = here.now()

        async def one(number: int) -> None:
            at, call = calls[number]
            await here.emulator.clock.sleep(at)
            await call(here.talkjs)
            took[number] = here.now() - start - at

        await asyncio.gather(*(one(number) for number in range(len(calls))))
        return took


def measure(size: Size, note: Note) -> list[Row]:
    """Simulate everything, with overflow and without."""
    steady, flood, took = {}, {}, {}
    refused = 0

    def keep(section: str, name: str, figures: Result) -> Result:
        nonlocal refused
        refused += figures.get("refused", 0)
        note({"section": section, "contender": name, "round": 0, **figures})
        return figures

    for name in (ALONE, BOTH):
        run = asyncio.run(sustained(name, size.minutes))
        steady[name] = keep(f"{size.minutes:g} saturated minutes", name, run)
        for calls in (size.burst, size.operations):
            run = asyncio.run(at_once(name, calls))
            flood[name, calls] = keep(f"{calls:,} calls at once", name, run)["seconds"]
        keep(
            f"{MESSAGES} messages to one conversation",
            name,
            asyncio.run(to_one_thing(name, MESSAGES)),
        )
        took[name] = asyncio.run(busy(name, size.minutes))
        ordered = sorted(took[name])
        figures = {"median_s": ordered[len(ordered) // 2], "longest_s": ordered[-1]}
        keep(f"{len(ordered):,} calls of a busy time", name, figures)

    unused = 19 - steady[BOTH]["per_s"]
    both = flood[BOTH, size.operations] / ((size.operations - 5600) / 19)
    alone = flood[ALONE, size.operations] / ((size.operations - 600) / 9)
    later = max(b - a for a, b in zip(took[ALONE], took[BOTH], strict=True))
    calls_at_once = f"{size.operations:,} calls at once"
    return [
        Row("saturated minutes: of 19 calls/s, unused with overflow", 0.2, unused, 2, "/s"),
        Row(f"{calls_at_once}: time / the least that both budgets allow", 1.02, both, 1.1),
        Row(f"{calls_at_once}: the same without overflow", 1.02, alone, 1.1),
        Row(f"{size.burst:,} calls at once: the last", 5, flood[BOTH, size.burst], 1, "s"),
        # A write may have to wait for the answer to the batch with an earlier one: a round trip.
        Row("calls of a busy time: the most that one is later", 2 * ONE_WAY, later, 1, "s"),
        Row("429s in all of this", 0, refused, 1, ""),
    ]


class Bench:
    """
    Runs the simulation.

    Attributes:
        missing: Nothing: nobody else is needed.
    """

    def __init__(self, size: Size, note: Note) -> None:
        self._size = size
        self._note = note
        self.missing: dict[str, str] = {}

    def all(self) -> list[Row]:
        """Everything, since the row of 429s is about everything."""
        return measure(self._size, self._note)


def make(options: Options, note: Note) -> Bench:
    """Get ready to measure."""
    return Bench(SMOKE if options.smoke else FULL, note)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when a promise is missed."""
    return run("overflow", __doc__, argv, sections={"all": Bench.all}, make=make)


if __name__ == "__main__":
    sys.exit(main())
