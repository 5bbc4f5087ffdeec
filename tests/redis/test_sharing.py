"""What several limiters on one Redis owe each other, and what they leave there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import anyio
import pytest
import redis

from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.errors import ConfigurationError, RateLimitWaitTimeout
from talkjs_async.limits import Permit
from talkjs_async.redis import RedisLimiter, Script
from talkjs_async.redis._script import ASK
from talkjs_async.redis._store import ClientStore, StoreLost, StoreOpener
from talkjs_async.telemetry import LimiterEvent, StoreAway
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

NEVER = 1e-6
"""A rate at which no token comes back while a test runs."""

MakeRedisLimiter = Callable[..., RedisLimiter]


@pytest.fixture
def app_id() -> str:
    return uuid4().hex


@pytest.fixture
async def make_limiter(redis_server: RedisServer, app_id: str) -> AsyncIterator[MakeRedisLimiter]:
    """Make limiters of one app, and close them in the end."""
    made: list[RedisLimiter] = []

    def make(app_id: str = app_id, url: object = redis_server.url, **options: Any) -> RedisLimiter:
        made.append(RedisLimiter(url, app_id, **{"tokens": options.get("burst", 600), **options}))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.aclose()


async def use_up(limiter: RedisLimiter) -> int:
    """Take and settle all that can be had at once. How many that were."""
    before = limiter.statistics().granted
    while True:
        try:
            permit = await limiter.acquire(max_wait=0)
        except RateLimitWaitTimeout:
            return limiter.statistics().granted - before
        permit.settle()


async def test_what_one_takes_the_other_has_not(make_limiter: MakeRedisLimiter) -> None:
    one, two = (make_limiter(rate=NEVER, burst=50) for _ in range(2))
    for _ in range(30):
        (await one.acquire()).settle()
    await one.aclose()

    assert 20 == await use_up(two)


async def test_two_apps_share_nothing(make_limiter: MakeRedisLimiter, app_id: str) -> None:
    one = make_limiter(rate=NEVER, burst=5)
    two = make_limiter(f"{app_id}-2", rate=NEVER, burst=5)

    assert [5, 5] == [await use_up(one), await use_up(two)]


async def test_batches_have_a_budget_of_their_own(make_limiter: MakeRedisLimiter) -> None:
    one = make_limiter(rate=NEVER, burst=5)
    two = make_limiter(rate=NEVER, burst=5, endpoint_class="batch")

    assert [5, 5] == [await use_up(one), await use_up(two)]


async def test_the_keys_are_namespaced_and_expire(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter, app_id: str
) -> None:
    await make_limiter(namespace="shop").acquire()

    keys = redis_server.cli("keys", f"*{app_id}*").split()
    bucket = f"shop:{{{app_id}}}:ordinary"

    assert {bucket, f"{bucket}:members", f"{bucket}:marker"} == set(keys)
    for key in (bucket, f"{bucket}:members"):
        assert 0 < int(redis_server.cli("ttl", key)) <= 24 * 3600
    assert "-1" == redis_server.cli("ttl", f"{bucket}:marker")


async def test_a_test_server_has_a_budget_of_its_own(make_limiter: MakeRedisLimiter) -> None:
    real = make_limiter(rate=NEVER, burst=5)
    same = make_limiter(rate=NEVER, burst=5, base_url="HTTPS://api.talkjs.com.:443/")
    test = make_limiter(rate=NEVER, burst=5, base_url="http://localhost:8000")

    assert 5 == await use_up(test)
    assert 5 == await use_up(real)
    await real.aclose()
    assert 0 == await use_up(same)


async def test_closing_gives_back_what_was_fetched_and_not_used(
    make_limiter: MakeRedisLimiter,
) -> None:
    busy = make_limiter(rate=NEVER, burst=100)
    for _ in range(30):
        (await busy.acquire()).settle()

    await busy.aclose()

    assert busy.calls < 30, "nothing was fetched ahead, so nothing was to be given back"
    assert 70 == await use_up(make_limiter(rate=NEVER, burst=100))


async def test_what_is_not_used_goes_back_by_itself(make_limiter: MakeRedisLimiter) -> None:
    busy, other = (make_limiter(rate=NEVER, burst=100) for _ in range(2))
    for _ in range(30):
        (await busy.acquire()).settle()

    with anyio.fail_after(30):
        for _ in range(70):
            (await other.acquire()).settle()

    assert 0 == await use_up(busy)


async def test_a_429_of_one_pauses_the_other(make_limiter: MakeRedisLimiter) -> None:
    one, two = (make_limiter(rate=NEVER, burst=50) for _ in range(2))
    permit = await one.acquire()
    await two.acquire()

    permit.throttled(retry_after=60.0)
    await one.aclose()
    await use_up(two)

    assert two.statistics().paused_for > 30.0


async def test_a_clock_of_redis_that_goes_back_is_as_if_no_time_had_passed(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    early, late = VirtualClock(), VirtualClock()
    late.advance(3600.0)
    with redis.Redis.from_url(redis_server.url) as client:
        before = make_limiter(url=client, rate=1.0, burst=50, clock=late)
        after = make_limiter(url=client, rate=1.0, burst=50, clock=early)

        for _ in range(45):
            (await before.acquire()).settle()
        await before.aclose()
        left = await use_up(after)
        start = early.monotonic()
        await after.acquire()
        await before.aclose()
        await after.aclose()

    assert 5 == left
    assert pytest.approx(1.0, abs=0.1) == early.monotonic() - start


async def test_background_of_one_leaves_the_floor_to_interactive_calls_of_the_other(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    clock = VirtualClock()
    with redis.Redis.from_url(redis_server.url) as client:
        options = {
            "url": client,
            "rate": 1.0,
            "burst": 50,
            "background_reserve": 20,
            "clock": clock,
        }
        bulk, people = (make_limiter(**options, max_in_flight=None) for _ in range(2))
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(partial(bulk.acquire, lane="background"))
            await clock.sleep(0.5)
            taken = bulk.statistics().granted
            there = await use_up(people)
            tasks.cancel_scope.cancel()
        await bulk.aclose()
        await people.aclose()

    assert (30, 20) == (taken, there)


async def test_background_of_one_gets_a_tenth_when_the_other_wants_everything(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    clock = VirtualClock()
    with redis.Redis.from_url(redis_server.url) as client:
        options = {
            "url": client,
            "rate": 9.0,
            "burst": 50,
            "background_reserve": 20,
            "clock": clock,
        }
        bulk, people = (make_limiter(**options, max_in_flight=None) for _ in range(2))
        async with anyio.create_task_group() as tasks:
            for _ in range(2000):
                tasks.start_soon(partial(bulk.acquire, lane="background"))
                tasks.start_soon(people.acquire)
            await clock.sleep(20.0)
            before = bulk.statistics().granted
            await clock.sleep(100.0)
            share = (bulk.statistics().granted - before) / 900
            tasks.cancel_scope.cancel()
        await bulk.aclose()
        await people.aclose()

    assert pytest.approx(0.1, abs=0.015) == share


async def test_whoever_waits_for_a_place_in_flight_makes_nobody_ask(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    clock = VirtualClock()
    with redis.Redis.from_url(redis_server.url) as client:
        limiter = make_limiter(url=client, max_in_flight=1, clock=clock)
        permit = await limiter.acquire()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.acquire)
            await clock.sleep(5.0)
            calls = limiter.calls
            await clock.sleep(300.0)
            asked = limiter.calls - calls
            permit.settle()
        await limiter.aclose()

    assert asked <= 300 / 3, "no more than signs of life"
    assert 2 == limiter.statistics().granted


class Recorder:
    """A store of one's own: passes everything on, but the first few answers are others."""

    def __init__(self, url: str, *first: str | Exception) -> None:
        self._opener = StoreOpener(url)
        self._first = list(first)
        self.runs = 0
        self.closed = 0

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        self.runs += 1
        if self._first:
            answer = self._first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        store = self._opener.open(on_asyncio=False)
        try:
            return await store.run(script, keys, argument)
        finally:
            await store.aclose()

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_clock_that_jumped_is_no_outage(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter
) -> None:
    store = Recorder(redis_server.url, json.dumps({"undone": True}))
    limiter = make_limiter(url=store)
    events: list[LimiterEvent] = []
    limiter.listen(events.append)

    await limiter.acquire()
    await limiter.aclose()

    assert [] == [event for event in events if isinstance(event, StoreAway)]
    # The question, the same once more, and that it has left.
    assert (3, 1) == (store.runs, store.closed)


@pytest.mark.parametrize("broken", [OSError("cable"), KeyError(), "no JSON", "{}"])
async def test_whatever_a_store_does_is_an_outage_at_worst(
    redis_server: RedisServer, make_limiter: MakeRedisLimiter, broken: str | Exception
) -> None:
    limiter = make_limiter(url=Recorder(redis_server.url, broken), rate=100.0)

    await limiter.acquire()

    assert 1 == limiter.statistics().granted


async def test_one_thread_that_is_stuck_is_enough() -> None:
    released = threading.Event()

    class Stuck:
        def execute_command(self) -> None: ...

        def evalsha(self, *_: object) -> str:
            released.wait(30)
            return "{}"

    store = ClientStore(Stuck())
    with anyio.move_on_after(0.01):
        await store.run(ASK, [], "{}")

    with pytest.raises(StoreLost, match="has not answered"):
        await store.run(ASK, [], "{}")
    released.set()


async def test_a_question_waits_for_no_thread_of_the_app() -> None:
    class Client:
        def execute_command(self) -> None: ...

        def evalsha(self, *_: object) -> str:
            return "{}"

    threads = anyio.to_thread.current_default_thread_limiter()
    others = [object() for _ in range(int(threads.total_tokens))]
    for other in others:
        threads.acquire_on_behalf_of_nowait(other)

    with anyio.fail_after(20):
        answer = await ClientStore(Client()).run(ASK, [], "{}")

    for other in others:
        threads.release_on_behalf_of(other)
    assert "{}" == answer


async def test_a_thread_whose_answer_never_comes_does_not_keep_others_from_asking() -> None:
    released = threading.Event()
    asked: list[object] = []

    class Client:
        def execute_command(self) -> None: ...

        def evalsha(self, *_: object) -> str:
            asked.append(_)
            if len(asked) <= 2:
                released.wait(30)
            return "{}"

    store = ClientStore(Client(), stuck_for=0.0)
    for _ in range(2):
        with anyio.move_on_after(0.01):
            await store.run(ASK, [], "{}")

    assert "{}" == await store.run(ASK, [], "{}")
    released.set()


WORKER = """
import asyncio, sys
from talkjs_async.redis import RedisLimiter

async def main():
    limiter = RedisLimiter(sys.argv[1], sys.argv[2], rate=20.0, burst=20, tokens=20)
    held = [await limiter.acquire() for _ in range(15)]
    print("holding", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def killed_worker(redis_server: RedisServer, app_id: str) -> float:
    """A process that is killed while it holds 15 of 20 tokens. When that was."""
    command = [sys.executable, "-c", WORKER, redis_server.url, app_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert "holding\n" == worker.stdout.readline()
        worker.kill()
        return time.monotonic()


async def test_a_killed_process_takes_its_tokens_along_and_no_more(
    killed_worker: float, make_limiter: MakeRedisLimiter
) -> None:
    limiter = make_limiter(rate=20.0, burst=20, max_in_flight=None)

    grants = []
    with anyio.fail_after(30):
        for _ in range(30):
            (await limiter.acquire()).settle()
            grants.append(time.monotonic() - killed_worker)

    # Its 15 tokens began to refill when it took them, a little before.
    allowed = [5 + 20.0 * (moment + 1.0) for moment in grants]
    assert all(number <= most for number, most in enumerate(allowed, 1))


BACKENDS = ["asyncio", "trio", "asyncio", "trio"]


async def use(limiter: RedisLimiter, calls: int) -> None:
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            (await limiter.acquire()).settle()

        for _ in range(calls):
            tasks.start_soon(call)


def test_one_limiter_serves_event_loops_one_after_another(
    redis_server: RedisServer, app_id: str
) -> None:
    limiter = RedisLimiter(redis_server.url, app_id, rate=200.0, burst=10)

    for backend in BACKENDS:
        anyio.run(use, limiter, 20, backend=backend)

    assert (80, 0) == (limiter.statistics().granted, limiter.statistics().in_flight)


def test_one_limiter_serves_event_loops_at_once(redis_server: RedisServer, app_id: str) -> None:
    limiter = RedisLimiter(redis_server.url, app_id, rate=200.0, burst=10)
    # The loop that asks for all may end first: the later ones have more to do.
    jobs = [(backend, 10 * number) for number, backend in enumerate(BACKENDS, 1)]

    with ThreadPoolExecutor(len(jobs)) as threads:
        list(threads.map(lambda job: anyio.run(use, limiter, job[1], backend=job[0]), jobs))

    assert (100, 0) == (limiter.statistics().granted, limiter.statistics().in_flight)


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_is_one_more_process(redis_server: RedisServer, app_id: str) -> None:
    limiter = RedisLimiter(redis_server.url, app_id, rate=NEVER, burst=10, tokens=10)
    seen: list[int] = []
    held: list[Permit] = []

    async def use_and_fork() -> None:
        held.extend([await limiter.acquire() for _ in range(3)])
        seen.append(fork_and_count(limiter))

    anyio.run(use_and_fork)

    assert 0 < seen[0] <= 7
    assert 3 == limiter.statistics().in_flight


def fork_and_count(limiter: RedisLimiter) -> int:
    """Let a child process use up the rest. How many that were."""
    child = os.fork()
    if child == 0:
        count = 255
        try:
            with ThreadPoolExecutor(1) as other_loop:
                count = other_loop.submit(lambda: anyio.run(use_up, limiter)).result()
        finally:
            os._exit(count)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("argument_name", "options"),
    [
        ("url_or_client", {"url": "localhost:6379"}),
        ("url_or_client", {"url": "http://localhost"}),
        ("url_or_client", {"url": 6379}),
        ("app_id", {"app_id": ""}),
        ("app_id", {"app_id": 7}),
        ("app_id", {"app_id": "a b"}),
        ("base_url", {"base_url": "http://[::1"}),
        ("base_url", {"base_url": "http://localhost:abc"}),
        ("base_url", {"base_url": "localhost"}),
        ("base_url", {"base_url": None}),
        ("namespace", {"namespace": None}),
        ("namespace", {"namespace": "\ud800"}),
        ("endpoint_class", {"endpoint_class": "bulk"}),
        ("on_outage", {"on_outage": "panic"}),
        ("processes", {"processes": 0}),
        ("processes", {"processes": True}),
        ("rate", {"rate": 0.0}),
        ("rate", {"rate": float("nan")}),
        ("burst", {"burst": 0}),
        ("max_in_flight", {"max_in_flight": 0}),
        ("background_reserve", {"background_reserve": 600}),
        ("tokens", {"tokens": 601}),
        ("tokens", {"tokens": -1}),
        ("tokens", {"tokens": float("nan")}),
    ],
)
async def test_a_setting_that_cannot_be_is_refused(
    make_limiter: MakeRedisLimiter, argument_name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{argument_name}: "):
        make_limiter(**options)


@pytest.mark.parametrize("app_id", ["my-app\n", " my-app", "\ufeffmy-app\r\n"], ids=ascii)
async def test_an_app_has_one_budget_whatever_stands_around_its_id(
    make_limiter: MakeRedisLimiter, app_id: str
) -> None:
    as_written, as_sent = make_limiter(app_id="my-app", tokens=3), make_limiter(app_id=app_id)

    first = await as_written.acquire()
    (await as_sent.acquire(max_wait=1.0)).settle()
    first.settle()

    assert repr(as_written).partition(" at ")[0] == repr(as_sent).partition(" at ")[0]


async def test_a_password_in_a_url_is_never_shown(make_limiter: MakeRedisLimiter) -> None:
    limiter = make_limiter(url="redis://user:pass-word@redis.example:6380/2")

    assert "redis.example:6380/2" in repr(limiter)
    assert "pass-word" not in repr(limiter)
