"""One bucket per app in a process, found again by every client."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.limits import TokenBucket, shared_bucket

URL = "https://api.example.com"

pytestmark = pytest.mark.anyio


def test_the_same_app_has_the_same_bucket() -> None:
    clock = VirtualClock()

    assert shared_bucket(URL, "app", "ordinary", clock) is shared_bucket(
        URL, "app", "ordinary", clock
    )


def test_another_url_app_class_or_clock_has_another_bucket() -> None:
    clock = VirtualClock()

    buckets = {
        shared_bucket(URL, "app", "ordinary", clock),
        shared_bucket(URL, "app", "batch", clock),
        shared_bucket(URL, "other", "ordinary", clock),
        shared_bucket("http://localhost", "app", "ordinary", clock),
        shared_bucket(URL, "app", "ordinary", VirtualClock()),
        shared_bucket(URL, "app"),
    }

    assert 6 == len(buckets)


def test_the_documented_limits_are_the_default() -> None:
    ordinary = shared_bucket(URL, "limits").statistics()
    batch = shared_bucket(URL, "limits", "batch").statistics()

    assert (9.0, 600) == (ordinary.rate, ordinary.burst)
    assert (1.0, 500) == (batch.rate, batch.burst)


async def test_the_next_client_finds_the_bucket_as_the_last_one_left_it() -> None:
    permit = await shared_bucket(URL, "client-per-request").acquire()
    gc.collect()

    assert 1 == shared_bucket(URL, "client-per-request").statistics().in_flight
    permit.settle()


async def test_a_test_clock_keeps_its_bucket_between_clients_too() -> None:
    clock = VirtualClock()
    permit = await shared_bucket(URL, "app", "ordinary", clock).acquire()
    gc.collect()

    assert 1 == shared_bucket(URL, "app", "ordinary", clock).statistics().in_flight
    permit.settle()


def test_clocks_that_were_thrown_away_are_forgotten() -> None:
    clocks = [VirtualClock() for _ in range(300)]
    buckets = weakref.WeakSet(shared_bucket(URL, "app", "ordinary", each) for each in clocks)
    clocks.clear()
    gc.collect()

    assert len(buckets) < 100


def test_a_bucket_in_use_is_never_forgotten() -> None:
    clock = VirtualClock()
    mine = shared_bucket(URL, "app", "ordinary", clock)

    for _ in range(300):
        shared_bucket(URL, "app", "ordinary", VirtualClock())

    assert mine is shared_bucket(URL, "app", "ordinary", clock)


async def test_a_closed_bucket_is_replaced() -> None:
    clock = VirtualClock()
    closed = shared_bucket(URL, "app", "ordinary", clock)

    await closed.aclose()

    fresh = shared_bucket(URL, "app", "ordinary", clock)
    assert closed is not fresh
    (await fresh.acquire()).settle()


def test_threads_that_ask_together_get_the_same_bucket() -> None:
    clock = VirtualClock()

    def ask(_: int) -> TokenBucket:
        return shared_bucket(URL, "app", "ordinary", clock)

    with ThreadPoolExecutor(8) as threads:
        buckets = set(threads.map(ask, range(200)))

    assert 1 == len(buckets)
