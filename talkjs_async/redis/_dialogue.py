"""
What one process asks Redis, when, and what follows from the answer.

Knows numbers and times, nothing of connections, tasks and waiting. Called by `Fetcher`, with the
queue's lock held.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

import attrs

from talkjs_async._core.call import Lane
from talkjs_async.redis._account import HOLD, Account
from talkjs_async.redis._messages import ScriptAnswer
from talkjs_async.redis._outage import Outage
from talkjs_async.redis._script import HORIZON, LIFE
from talkjs_async.telemetry import LimiterEvent, SettingsDiffer, StoreBack, StoreLostData

_POLL: Final = 1.0
"""Seconds between two questions while nothing can be had."""

_LEAST_PAUSE: Final = 0.001
"""Seconds between two questions, at least, if the first one was not granted all it wanted."""

_MOST_AHEAD: Final = 64
"""Tokens that a busy process fetches ahead, at most."""

_REPORT: Final = 2.0
"""Seconds in which permits that have ended wait for a question that has to be asked anyway."""

_SIGN_OF_LIFE: Final = LIFE / 3
"""Seconds between two questions while requests are in flight."""

_COUNTS: Final = (0.25, 0.5, 1.0, 2.0)
"""Seconds after the first answer: those that start together count each other before long."""

_JUMP: Final = 0.25
"""
Seconds, beside what answers take, after which a question is not carried out: it was delayed, and
its process may have given up; or Redis's clock was set forward.
"""

_DRIFT: Final = 0.001
"""How much faster than ours another clock may run."""

_LOST_AGAIN: Final = 5.0
"""Seconds after a loss of data in which another one is no accident."""

_CREDIT: Final = 0.6
"""Part of the refilled tokens that is then counted on; measured: the budget is used, 1 429 each."""

_SAME: Final = 1 - 1e-9
"""Redis writes fourteen digits."""

_REMIND: Final = 60.0
"""Seconds between two events of one kind."""


@attrs.frozen
class Question:
    """
    One script call.

    Attributes:
        values: The argument of the script. None means "not given".
        lane: What the tokens are for.
        want: How many callers are to be served by it.
        settled: How many permits it says were used.
        drained: The 429 that it tells of.
    """

    values: dict[str, Any]
    lane: Lane
    want: int
    settled: int
    drained: tuple[int, float] | None

    @property
    def number(self) -> int:
        """Which question of this process it is."""
        number: int = self.values["number"]
        return number

    @property
    def argument(self) -> str:
        """The same, as the script is given it."""
        return json.dumps({name: each for name, each in self.values.items() if each is not None})


class Dialogue:
    """
    One process's side of the protocol.

    Args:
        rate, burst: The settings of this process.
        tokens: What a bucket has that no process vouches for.
    """

    def __init__(
        self, account: Account, outage: Outage, *, rate: float, burst: int, tokens: float
    ) -> None:
        self._account = account
        self._outage = outage
        self._settings = (rate, burst)
        self._tokens = tokens
        self._member = secrets.token_hex(8)
        self._asked = 0
        self._answered = 0
        self._undone = 0
        self._sure = False
        self._took = 0.0
        self._lost_at = -math.inf
        self._ask_again: dict[Lane, float] = {"interactive": -math.inf, "background": -math.inf}
        self._stuck = False
        self._granted_before = (0, -math.inf)
        self._told_at: dict[type[LimiterEvent], float] = {}
        self.served_at = -math.inf
        self.left = False

    def next_work(self, now: float, waiting: Mapping[Lane, int], *, closed: bool) -> float:
        """Say when there is something to ask."""
        account = self._account
        if closed:
            gone = self.left or not self._answered or self._outage.reason is not None
            return math.inf if gone else now
        if self._outage.reason is not None:
            wanted = any(waiting.values()) or account.settled > account.acknowledged
            return self._outage.retry_at if wanted or account.drained else math.inf
        if account.drained is not None or self._sure:
            return now
        times = [
            again for lane, again in self._ask_again.items() if account.lacking(lane, now, waiting)
        ]
        if account.unsaid > 0:
            # What a small bucket lacks, other processes may be waiting for.
            soon = account.unsaid >= max(account.burst // 4, 1)
            times.append(account.heard_at + (_REPORT / 8 if soon else _REPORT))
        if len(account):
            times.append(account.stale_at() + HOLD)
        if account.open:
            times.append(account.heard_at + _SIGN_OF_LIFE)
        if account.open or any(waiting.values()):
            first = self._outage.first_heard_at
            times += [first + each for each in _COUNTS if first + each > account.heard_at][:1]
        return min(times, default=math.inf)

    def may_ask(self, lane: Lane, now: float) -> bool:
        """Whether a caller that finds no token is worth a question right now."""
        away = self._outage.reason is not None and now < self._outage.retry_at
        return self._ask_again[lane] <= now and not away

    def has_ended(self) -> None:
        """Note that a permit has ended: what no question could promise may be had now."""
        if self._stuck:
            self._stuck = False
            self._ask_again = dict.fromkeys(self._ask_again, -math.inf)

    def question(
        self, now: float, clock: float | None, waiting: Mapping[Lane, int], *, closed: bool
    ) -> Question | None:
        """
        Say what to ask right now.

        Args:
            now: The time of this process.
            clock: What to use for Redis's clock. None for its own.
            waiting: How many callers wait in each lane.
            closed: Whether it is the last question.
        """
        account, outage = self._account, self._outage
        account.give_back(now, waiting=sum(waiting.values()))
        if self.next_work(now, waiting, closed=closed) > now:
            return None
        lane: Lane = "interactive"
        want = 0
        if outage.reason is None and not closed:
            for each, again in self._ask_again.items():
                lacking = account.lacking(each, now, waiting)
                if lacking and again <= now:
                    lane, want = each, lacking
                    break
        self._asked += 1
        outage.asked_at = now
        granted, since = self._granted_before
        demand = (account.granted - granted) / max(now - since, HOLD / 2)
        self._granted_before = (account.granted, now)
        background = lane == "background"
        reserve = int(account.lanes["background"][0]) - 1
        values = {
            "clock": clock,
            "member": self._member,
            "number": self._asked,
            "answered": self._answered,
            "open": account.here,
            "settled": account.settled,
            "acknowledged": account.acknowledged,
            "lead": None if outage.reason is not None and outage.shares else account.full_at - now,
            "new_generation": f"g{secrets.token_hex(8)}",
            "tokens": self._tokens,
            "rate": account.rate,
            "burst": account.burst,
            "want": want,
            "extra": min(int(demand * HOLD), _MOST_AHEAD) if want else 0,
            "kept": reserve,
            "reserve": reserve if background else 0,
            "background": background,
            "away": None if outage.reason is None else now - outage.since,
            "drained": None if account.drained is None else account.drained[0],
            "retry_after": None if account.drained is None else account.drained[1],
            "leaving": account.used(now) if closed else None,
            **self._what_was_seen(now),
        }
        return Question(values, lane, want, account.settled, account.drained)

    def _what_was_seen(self, now: float) -> dict[str, Any]:
        account = self._account
        seen = account.seen
        if seen is None:
            return {}
        elapsed = now - account.heard_at
        return {
            "generation": seen.generation,
            "version": seen.version,
            "elapsed": elapsed,
            "expected": seen.now + elapsed,
            "late": _JUMP + self._took + elapsed * _DRIFT,
            "sure": self._sure or None,
            "gone": seen.burst - self._left(elapsed, promised=len(account) - account.usable(now)),
            "epoch": account.generation,
            "part": seen.part,
            "paused": max(account.resume_at - now, 0.0) if account.resume_at < math.inf else 0.0,
        }

    def _left(self, elapsed: float, *, promised: int) -> float:
        """
        Tokens that are there, by what this process saw, if Redis has lost its data.

        Others were promised what has refilled since, and will come and say so. But if data is lost
        again and again, so much care would leave nothing.

        Args:
            elapsed: Seconds since it saw that.
            promised: Tokens that it was promised, for later.
        """
        seen = self._account.seen
        if seen is None:
            return 0.0
        refilled = elapsed * seen.rate * seen.part
        if seen.members <= 1:
            return min(seen.free + refilled, 1.0)
        again = self._account.heard_at < self._lost_at + _LOST_AGAIN
        return min(seen.free + (_CREDIT * refilled if again else 0.0), -float(promised), 0.0)

    def answer(
        self, reply: ScriptAnswer | None, question: Question, now: float, *, took: float
    ) -> list[LimiterEvent]:
        """
        Take in an answer.

        Args:
            reply: It. None: the question came too late, by Redis's clock.
            question: What was asked.
            now: The time of this process.
            took: Seconds since it was asked.

        Returns:
            What listeners should hear.
        """
        account, outage = self._account, self._outage
        if reply is None:
            # One of the two is right: it was delayed, or Redis's clock was set forward.
            self._undone += 1
            self._sure = took < _JUMP or self._undone > 1
            return []
        self._undone = 0
        seen = account.seen
        self._sure = False
        self._took = max(took, 0.9 * self._took)
        events: list[LimiterEvent] = []
        if seen is None:
            outage.first_heard_at = now
        elif seen.generation != reply.generation:
            self._lost_at = now
            self._tell(events, StoreLostData(reason=_REASONS[reply.lost]), now)
        rate, burst = self._settings
        if reply.rate < account.rate * _SAME or reply.burst < account.burst:
            in_force = reply.rate * rate / account.rate, int(reply.burst)
            ours = SettingsDiffer(
                rate=rate, burst=burst, rate_in_force=in_force[0], burst_in_force=in_force[1]
            )
            self._tell(events, ours, now)
        self._answered = question.number
        self.left = question.values["leaving"] is not None
        if account.drained == question.drained:
            account.drained = None
        told = question.values["open"]
        account.received(reply, question.lane, now, settled=question.settled, told=told)
        if outage.reason is not None:
            away = question.values["away"] is not None
            if outage.answered(reply, account, now, told=away):
                events.append(StoreBack(spent=account.spent))
        if question.want:
            self.served_at = now
            self._ask_again[question.lane] = now + self._pause(reply, question.want, took)
        return events

    def failed(self, *, closed: bool) -> None:
        """Note that a question was not answered."""
        self.left = closed

    def _pause(self, reply: ScriptAnswer, want: int, took: float) -> float:
        """Seconds until the same question is worth asking again."""
        self._stuck = reply.wait < 0
        if reply.paused or reply.grace:
            pause = min(max(reply.paused, reply.grace), _POLL)
        elif reply.reserved:
            pause = reply.wait + (reply.reserved - 1) / (reply.rate * reply.part) - took
        elif reply.granted >= want:
            return 0.0
        else:
            pause = reply.wait if 0 <= reply.wait <= HORIZON else _POLL
        return max(pause, _LEAST_PAUSE)

    def _tell(self, events: list[LimiterEvent], event: LimiterEvent, now: float) -> None:
        if now >= self._told_at.get(type(event), -math.inf) + _REMIND:
            self._told_at[type(event)] = now
            events.append(event)


_REASONS: Final = {
    "gone": "the data is gone",
    "older": "the data is older than what this process saw",
    None: "another process found that data was lost",
}
