"""
The limiter whose tokens are kept in Redis.

One task per process fetches tokens, whichever call waits for them: a few questions a second at
TalkJS's rates. The head of this package says what the protocol is.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from talkjs_async._core.base_url import DEFAULT_BASE_URL, checked_url
from talkjs_async._core.call import Lane
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, checked_clock
from talkjs_async._core.credentials import checked_app_id
from talkjs_async._core.wire import checked_word, is_text, is_whole
from talkjs_async.errors import ConfigurationError, LimiterUnavailable, shown
from talkjs_async.limits._budgets import budget_key
from talkjs_async.limits._forks import call_after_fork
from talkjs_async.limits._queue import Queue
from talkjs_async.limits._queued_limiter import QueuedLimiter
from talkjs_async.limits._rules import DOCUMENTED, IN_FLIGHT, check_limits, is_within
from talkjs_async.redis._account import Account
from talkjs_async.redis._dialogue import Dialogue
from talkjs_async.redis._fetcher import Fetcher
from talkjs_async.redis._outage import OnOutage, Outage
from talkjs_async.redis._store import StoreOpener


class RedisLimiter(QueuedLimiter):
    """
    The budget of one app, shared through Redis >= 6 or Valkey. Implements `Limiter`.

    It keeps the promises of `TokenBucket` across processes and machines: a token refills when its
    answer is in. The order is strict inside a process, while processes take turns. A bucket that
    Redis does not know, and that no process has seen, starts with *tokens* instead of a burst.

    When Redis is away, hangs or loses its data, no call crashes and none is sent without limit:
    *on_outage* says what happens, and it goes back to normal by itself.

    Attributes:
        clock: What local time is taken from. With any clock but the system's, Redis's own clock is
            not used either: then all processes must share that clock. For tests.
    """

    def __init__(
        self,
        url_or_client: object,
        app_id: str,
        *,
        endpoint_class: Literal["ordinary", "batch"] = "ordinary",
        rate: float | None = None,
        burst: int | None = None,
        max_in_flight: int | None = IN_FLIGHT,
        background_reserve: int | None = None,
        tokens: float = 0.0,
        on_outage: OnOutage = "share",
        processes: int = 4,
        namespace: str = "talkjs",
        base_url: str = DEFAULT_BASE_URL,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """
        Make a limiter. Nothing is connected before the first call.

        Args:
            url_or_client: `redis://...`, `rediss://...` or `unix://...`; a client of redis-py,
                asyncio (for asyncio only) or blocking (used in a worker thread, on every event
                loop), of a Cluster or from Sentinel as well; or a `Store` of your own. A client is
                never closed.
            app_id: Whose budget it is.
            endpoint_class: "batch" for `POST /batch`, "ordinary" for everything else.
            rate: Requests per second that the server allows for good. None: what TalkJS documents.
            burst: Requests that it allows at once after a pause. None: what TalkJS documents.
            max_in_flight: How many requests of this process may be on their way at a time. None for
                no bound.
            background_reserve: Tokens that the lane "background" may not touch, in any process.
                None for a twentieth of *burst*.
            tokens: What the bucket has when neither Redis nor this process knows anything of it:
                the first time ever, or after Redis lost its data. More than 0 is a guess.
            on_outage: While Redis is away, "share": use this process's share of the rate, without a
                burst; "closed": raise LimiterUnavailable; "open": use all of the budget, right only
                when no other process does.
            processes: How many processes to assume as long as Redis has never been reached.
            namespace: How the keys begin.
            base_url: Where the API is: a test server has budgets of its own.
            clock: Where local time comes from.

        Raises:
            ConfigurationError: A setting that cannot be.
        """
        checked_word("endpoint_class", endpoint_class, DOCUMENTED)
        documented = DOCUMENTED[endpoint_class]
        checked_word("on_outage", on_outage, ("share", "closed", "open"))
        # As a client writes them: what it strips or spells otherwise would be another budget.
        app_id = checked_app_id(app_id)
        base_url = checked_url(base_url)
        if not is_text(namespace):
            raise ConfigurationError("namespace", f"must be text (str): {shown(namespace)}")
        if not is_whole(processes, least=1):
            raise ConfigurationError("processes", f"a whole number, at least 1: {shown(processes)}")
        rate = documented[0] if rate is None else rate
        burst = documented[1] if burst is None else burst
        check_limits(rate, burst, max_in_flight, background_reserve)
        if not is_within(tokens, 0, burst):
            raise ConfigurationError("tokens", f"from 0 to burst ({burst}): {shown(tokens)}")
        self._opener = StoreOpener(url_or_client)
        self._key = _key(namespace, base_url, app_id, endpoint_class)
        clock = checked_clock(clock)
        self._new_account = partial(
            Account, rate=rate, burst=burst, max_in_flight=max_in_flight, reserve=background_reserve
        )
        self._new_outage = partial(Outage, on_outage, processes)
        self._new_dialogue = partial(Dialogue, rate=rate, burst=burst, tokens=tokens)
        self._account = self._new_account(now=clock.monotonic())
        super().__init__(self._account, rate=rate, max_in_flight=max_in_flight, clock=clock)
        self._begin()
        # There, tokens, callers and the task are the parent's: that side is one more process.
        call_after_fork(self._forked)

    def _forked(self) -> None:
        self._source = self._account = self._new_account(now=self.clock.monotonic())
        self._queue = Queue(self._account, self.clock)
        self._begin()

    def _begin(self) -> None:
        self._outage = self._new_outage()
        self._dialogue = self._new_dialogue(self._account, self._outage)
        self._fetcher = Fetcher(
            opener=self._opener,
            keys=(self._key, f"{self._key}:members", f"{self._key}:marker"),
            account=self._account,
            queue=self._queue,
            clock=self.clock,
            outage=self._outage,
            dialogue=self._dialogue,
            announce=self._listeners.tell,
        )

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._key} at {self._opener.shown}: {self.statistics()!r}>"

    @property
    def calls(self) -> int:
        """How many script calls there were."""
        return self._fetcher.calls

    def _about_to_wait(self, lane: Lane, now: float) -> None:
        if self._outage.refuses(self._account, now) and not self._queue.closed:
            raise LimiterUnavailable(self._outage.reason)
        if len(self._account.open) < self._account.lanes[lane][1]:
            self._fetcher.expect(lane, now)

    def _waits(self, now: float) -> None:
        self._fetcher.call(now, stay=True)

    def _has_changed(self, now: float) -> None:
        self._dialogue.has_ended()
        self._fetcher.call(now, stay=False)

    async def aclose(self) -> None:
        """Refuse all calls from now on; Redis is told that this process has left."""
        await super().aclose()
        await self._fetcher.aclose()


def _key(namespace: str, base_url: str, app_id: str, endpoint_class: str) -> str:
    """Say how the keys begin. The braces keep all of them in one slot of a Cluster."""
    budget = budget_key(base_url, app_id)
    server = "" if budget == budget_key(DEFAULT_BASE_URL, app_id) else f"@{budget[0]}:{budget[1]}"
    return f"{namespace}:{{{app_id}{server}}}:{endpoint_class}"
