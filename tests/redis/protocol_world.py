"""
Processes, a network, Redis and a server with an exact bucket, all in simulated time.

The script is the real one, run by a real Redis that is told what time it is. Of each process there
is what decides: `Account`, `Outage`, `Dialogue`. What is left out is event loops and connections.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from typing import Any

import attrs
import redis

from talkjs_async._core.call import Lane
from talkjs_async.redis._account import Account
from talkjs_async.redis._dialogue import Dialogue, Question
from talkjs_async.redis._messages import ScriptAnswer, read
from talkjs_async.redis._outage import Outage
from talkjs_async.redis._script import ASK
from talkjs_async.telemetry import LimiterEvent, StoreLostData

RATE, BURST = 9.0, 60

BOUND = 0.5
"""Seconds after which a process gives up a question."""

Snapshot = list[tuple[str, bytes, int]]


@attrs.define
class SimulatedRedis:
    """
    The data of one app in a real Redis, with a clock that tests move.

    Attributes:
        client: The Redis.
        name: How its keys begin.
        ahead: How far its clock is ahead.
        up: Whether it answers.
    """

    client: redis.Redis
    name: str
    ahead: float = 0.0
    up: bool = True

    @property
    def keys(self) -> list[str]:
        """The three keys of the budget."""
        return [self.name, f"{self.name}:members", f"{self.name}:marker"]

    def ask(self, question: Question, now: float) -> ScriptAnswer | None:
        """Run the script, at *now* by its clock."""
        values = {**json.loads(question.argument), "clock": 1000.0 + now + self.ahead}
        run: Any = self.client.eval
        return read(run(ASK.code, 3, *self.keys, json.dumps(values)))

    def save(self) -> Snapshot:
        """Copy the data."""
        return [
            (key, data, max(int(self.client.pttl(key)), 0))
            for key in self.keys
            if (data := self.client.dump(key)) is not None
        ]

    def load(self, snapshot: Snapshot) -> None:
        """Replace the data."""
        self.client.delete(*self.keys)
        for key, data, expiry in snapshot:
            self.client.restore(key, expiry, data)

    def evict(self) -> None:
        """Lose the bucket alone."""
        self.client.delete(self.name)


class Process:
    """
    One process.

    Attributes:
        connected: Whether it reaches Redis.
        wants: How many calls it wants to have waiting all the time.
    """

    def __init__(self, world: World, *, rate: float = RATE, burst: int = BURST) -> None:
        self._world = world
        self.account = Account(rate=rate, burst=burst, max_in_flight=20, reserve=0, now=world.now)
        self.outage = Outage("share", 4)
        self.dialogue = Dialogue(self.account, self.outage, rate=rate, burst=burst, tokens=0.0)
        self.connected = True
        self.alive = True
        self.wants = 5
        self.events: list[LimiterEvent] = []
        self._waiting_since: list[float] = []
        self._asking = False
        self._questions = 0

    @property
    def waiting(self) -> dict[Lane, int]:
        return {"interactive": len(self._waiting_since), "background": 0}

    @property
    def asked(self) -> int:
        """How many questions it asked."""
        return self._questions

    @property
    def lost(self) -> int:
        """How often it said that data was lost."""
        return sum(isinstance(each, StoreLostData) for each in self.events)

    def step(self) -> None:
        """Do what is to be done at this moment."""
        now, account = self._world.now, self.account
        while len(self._waiting_since) < self.wants:
            self._waiting_since.append(now)
        while self._waiting_since and account.due("interactive", now, owed=False) <= now:
            self._world.send(self, account.take("interactive", now), self._waiting_since.pop(0))
        if self._asking:
            return
        question = self.dialogue.question(now, None, self.waiting, closed=False)
        if question is not None:
            self._asking = True
            self._questions += 1
            self._world.carry(self, question)

    def hear(self, question: Question, asked_at: float, reply: ScriptAnswer | None) -> None:
        """Take in an answer."""
        if self.alive:
            self._asking = False
            now = self._world.now
            self.events += self.dialogue.answer(reply, question, now, took=now - asked_at)

    def give_up(self) -> None:
        """Get no answer."""
        if self.alive:
            self._asking = False
            self.dialogue.failed(closed=False)
            self.outage.begin("no answer", self.account, self._world.now, refuse=False)

    def end(self, number: int, *, accepted: bool) -> None:
        """Get the answer to a request."""
        now, account = self._world.now, self.account
        if not self.alive:
            return
        if accepted:
            account.settle(number, now)
        elif account.open.pop(number, (0.0, -1))[1] == account.generation:
            account.drain(now, 0.0)
        self.dialogue.has_ended()


class World:
    """
    Everything.

    Attributes:
        now: Simulated seconds.
        processes: Those that live.
        arrivals: When requests reached the server.
        refused: How many of them got a 429.
        waits: When a call was granted its token, and how long it waited.
        changes: How many things went wrong so far.
        lent: Requests that cut-off processes sent beside those that share the bucket.
        others: Tokens per second that another client takes, which shares nothing.
    """

    def __init__(self, store: SimulatedRedis, seed: int) -> None:
        self.store = store
        self.now = 0.0
        self.processes: list[Process] = []
        self.arrivals: list[float] = []
        self.refused: list[float] = []
        self.waits: list[tuple[float, float]] = []
        self.changes = 0
        self.lent = 0
        self.others = 0.0
        self._random = random.Random(seed)
        self._tokens, self._at = float(BURST), 0.0
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0

    def start(self) -> Process:
        """Start a process."""
        self.processes.append(Process(self))
        return self.processes[-1]

    def kill(self, process: Process) -> None:
        """End a process at once. What it had sent goes on."""
        process.alive = False
        self.processes.remove(process)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            for process in list(self.processes):
                process.step()

    def send(self, process: Process, number: int, since: float) -> None:
        """Carry a request to the server, and its answer back."""
        self.waits.append((self.now, self.now - since))
        cut_off = not process.connected and any(each.connected for each in self.processes)
        self.lent += cut_off and self.store.up
        there = self._random.uniform(0.005, 0.03)

        def arrive() -> None:
            refilled = (self.now - self._at) * (RATE - self.others)
            self._tokens = min(BURST, self._tokens + refilled)
            self._at = self.now
            self.arrivals.append(self.now)
            accepted = self._tokens >= 1
            self._tokens -= accepted
            if not accepted:
                self.refused.append(self.now)
            back = self._random.uniform(0.015, 0.05)
            self._later(back, lambda: process.end(number, accepted=accepted))

        self._later(there, arrive)

    def carry(self, process: Process, question: Question) -> None:
        """Carry a question to Redis, and its answer back, if they get through."""
        asked_at = self.now
        if not (process.connected and self.store.up):
            self._later(0.02, process.give_up)
            return
        there = self._random.uniform(0.0, 0.005)
        lost = self._random.random()
        if lost < 0.01:
            # The connection breaks: before, or after the script has run, perhaps much later.
            self._later(BOUND, process.give_up)
            if lost < 0.005:
                late = self._random.choice([there, 1.0, 4.0])
                self._later(late, lambda: self.store.up and self.store.ask(question, self.now))
            return

        def arrive() -> None:
            if not self.store.up:
                self._later(0.01, process.give_up)
                return
            reply = self.store.ask(question, self.now)
            self._later(0.003, lambda: process.hear(question, asked_at, reply))

        self._later(there, arrive)

    def empty_the_server(self) -> None:
        """Let somebody else have what is left in its bucket."""
        self._tokens, self._at = min(self._tokens, 0.5), self.now
        self.arrivals.clear()
        self.refused.clear()

    def used(self, *, since: float) -> float:
        """Say which part of the rate was used."""
        return sum(each >= since for each in self.arrivals) / (RATE * (self.now - since))

    def wait_of_95_in_100(self, *, since: float) -> float:
        """Seconds that 95 of 100 calls waited at most."""
        waits = sorted(seconds for moment, seconds in self.waits if moment >= since)
        return waits[int(0.95 * len(waits))]

    @property
    def fair_wait(self) -> float:
        """Seconds that a call waits if all processes get the same, and nothing goes wrong."""
        return sum(each.wants for each in self.processes) / RATE

    def excess(self) -> float:
        """By how many requests the worst window was over the burst and what refilled in it."""
        # The server was empty at the start of the count.
        worst, low = 0.0, 0.0
        for number, moment in enumerate(self.arrivals):
            # Requests so far, less what refilled so far: its highest rise is the worst window.
            level = number - RATE * moment
            low = min(low, level) if number else level
            worst = max(worst, level + 1 - low - BURST)
        return worst

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (self.now + seconds, self._number, action))
