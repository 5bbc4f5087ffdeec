"""
The state and the services of one emulator: what routes, page and ways in share.

Knows no rule of the API and none of the modules that stand on it.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from random import Random

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._ids import IdGenerator
from talkjs_async.emulator._routing import Router
from talkjs_async.emulator._snapshots import Snapshot
from talkjs_async.emulator._stored_records import StoredApp
from talkjs_async.emulator.clock import EmulatorClock
from talkjs_async.emulator.commit_log import CommitLog
from talkjs_async.emulator.faults import Faults
from talkjs_async.emulator.limits import AppBudget, Limits
from talkjs_async.emulator.request_log import Exchange, RequestLog
from talkjs_async.emulator.switches import Switches
from talkjs_async.emulator.webhooks import WebhookSender

# Seconds that a request travels to the server, and the answer back.
Latency = Callable[[Random], tuple[float, float]]


class World(ListsAttributes):
    """
    What an emulator consists of, before there is any way to reach it.

    Attributes:
        app_id, secret_key: The credentials to use.
        router: Finds the endpoints.
        clock: Its time. Give it to the program under test as well.
        seed: What all IDs and all chances come from.
        latency: Gives seconds to the server and back, per request. None: no time passes.
        body_limit: How many characters of bodies to keep in the log of requests.
        faults: Plans for what goes wrong.
        requests: The log of requests: what was asked.
        commits: The commit log: what was done.
        webhooks: Where webhooks go.
        apps: The data of this app, and of others made as anonymous test projects.
        anonymous_accounts: Access token to the app that belongs to it.
        anonymous_created_at: Client address to the monotonic time of its last anonymous app.
        snapshots: Those that were taken through the control API.
        changes: How often something was done to the emulator from outside of the API.
        on_answer: Called with each request when its answer is made.
        lock: Held while a request is admitted or handled.
    """

    def __init__(
        self,
        *,
        app_id: str,
        secret_key: str,
        router: Router,
        clock: EmulatorClock,
        limits: Limits,
        switches: Switches,
        seed: int | str,
        latency: Latency | None,
        log_limit: int | None,
        inbox_limit: int,
        body_limit: int,
    ) -> None:
        self.app_id = app_id
        self.secret_key = secret_key
        self.router = router
        self.clock = clock
        self.seed = seed
        self.latency = latency
        self.body_limit = body_limit
        self.ids: IdGenerator = IdGenerator(seed)
        self.requests: RequestLog = RequestLog(log_limit)
        self.commits: CommitLog = CommitLog(log_limit)
        self.webhooks: WebhookSender = WebhookSender(
            secret_key=secret_key,
            clock=clock,
            ids=self.ids,
            switches=switches,
            seed=seed,
            log_limit=log_limit,
            inbox_limit=inbox_limit,
        )
        self.lock: AbstractContextManager[bool] = threading.RLock()
        self.changes = 0
        self.snapshots: dict[str, Snapshot] = {}
        self.on_answer: Callable[[Exchange], object] | None = None
        self._limits = limits
        self._switches = switches
        self._start()

    def _start(self) -> None:
        self.ids.restart()
        self.__dict__.pop("random", None)
        self.faults: Faults = Faults(
            seed=self.seed,
            monotonic=self.clock.monotonic,
            routes=((route.method, route.path) for route in self.router.routes),
        )
        self.anonymous_accounts: dict[str, StoredApp] = {}
        self.anonymous_created_at: dict[str, float] = {}
        self._last_number = 0
        self.apps: dict[str, StoredApp] = {}
        self.add_app(self.app_id, self.secret_key)

    def reset(self, *, clock: bool = False) -> None:
        """
        Forget all data, logs and faults, and fill the budget up.

        Receivers of webhooks, snapshots, limits and switches stay. Time goes on, unless *clock*
        sets it back to where it began: now that the data is gone, nothing is younger than the
        present.
        """
        with self.lock:
            if clock:
                _method_of(self.clock, "reset", "set back")()
            self.webhooks.clear()
            self.requests.clear()
            self.commits.clear()
            self._start()

    def snapshot(self) -> Snapshot:
        """Return all data as it is now, for `restore`. Logs, settings and time are not part."""
        with self.lock:
            return Snapshot.of(
                self.apps,
                self.anonymous_accounts,
                self.anonymous_created_at,
                self._last_number,
                self.random,
                self.ids.state,
            )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to the data of a snapshot, as often as wanted; forget events that wait."""
        with self.lock:
            self.webhooks.clear()
            (
                self.apps,
                self.anonymous_accounts,
                self.anonymous_created_at,
                self._last_number,
                self.random,
                self.ids.state,
            ) = snapshot.copy()

    def add_app(self, app_id: str, secret_key: str) -> StoredApp:
        """Add another app, with data and a budget of its own."""
        budget = AppBudget(self._limits, self.clock.monotonic())
        app = StoredApp(id=app_id, secret_keys=[secret_key], budget=budget)
        self.apps[app_id] = app
        return app

    @cached_property
    def random(self) -> Random:
        """Where latencies come from. Seeded when it is first asked for, and after a reset."""
        return Random(f"emulator:{self.seed}")  # noqa: S311  # repeatable

    @property
    def switches(self) -> Switches:
        """Switches for undocumented behaviour; may be changed at any time."""
        return self._switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self._switches = self.webhooks.switches = switches

    @property
    def limits(self) -> Limits:
        """The rate limits in force; may be exchanged at any time."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        with self.lock:
            self._limits = limits
            for app in self.apps.values():
                app.budget.apply(limits, self.clock.monotonic())

    @property
    def main_app(self) -> StoredApp:
        """The app with this emulator's own ID."""
        return self.apps[self.app_id]

    @property
    def budget(self) -> AppBudget:
        """The two token buckets of the app."""
        return self.main_app.budget

    def advance(self, seconds: float) -> None:
        """Move the clock on; `ValueError` if it is one that cannot be moved."""
        _method_of(self.clock, "advance", "moved")(seconds)

    def next_number(self) -> int:
        """Return a number higher than all before, for the order of arrival."""
        self._last_number += 1
        return self._last_number

    def continue_after(self, number: int) -> None:
        """Go on with a higher number than that of any record that was put in from outside."""
        self._last_number = max(self._last_number, number)


def _method_of(clock: EmulatorClock, name: str, what: str) -> Callable[..., None]:
    """Return what only some clocks can do."""
    method: Callable[..., None] | None = getattr(clock, name, None)
    if method is None:
        raise ValueError(f"This emulator's clock cannot be {what}.")
    return method
