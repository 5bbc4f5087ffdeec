"""One bucket per app in a process, found again by every client."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.emulator.clock import VirtualClock
from talkjs_async.limits import SHARED_BUDGETS, OwnBudgets, ProcessBudgets, TokenBucket

URL = "https://api.example.com"

pytestmark = pytest.mark.anyio


def shared_bucket(
    base_url: str, app_id: str, endpoint_class: str = "ordinary", clock: Clock = SYSTEM_CLOCK
) -> TokenBucket:
    """What a client without *budgets* of its own uses."""
    return SHARED_BUDGETS.limiters(base_url, app_id, clock)[endpoint_class == "batch"]


@pytest.mark.parametrize(
    "url",
    [
        "HTTPS://API.EXAMPLE.COM",
        "https://api.example.com:443",
        "https://api.example.com.",
        "https://API.example.com.:443/",
        "  https://api.example.com\n",
    ],
)
def test_one_host_is_one_budget_however_it_is_written(url: str) -> None:
    clock = VirtualClock()

    assert shared_bucket(URL, "app", "ordinary", clock) is shared_bucket(
        url, "app", "ordinary", clock
    )
    one, other = (
        AsyncTalkJS("app", "sk_test_budgets", base_url=each, clock=clock) for each in (URL, url)
    )
    assert one._pipeline.limiters == other._pipeline.limiters


def test_a_host_of_other_letters_is_its_name_in_dns() -> None:
    clock = VirtualClock()

    assert shared_bucket("https://büro.example", "app", "batch", clock) is shared_bucket(
        "https://xn--bro-hoa.example:443", "app", "batch", clock
    )


@pytest.mark.parametrize("url", ["http://api.example.com", "https://api.example.com:444"])
def test_another_port_is_another_budget(url: str) -> None:
    clock = VirtualClock()

    assert shared_bucket(URL, "app", "ordinary", clock) is not shared_bucket(
        url, "app", "ordinary", clock
    )


def test_a_share_divides_both_budgets() -> None:
    ordinary, batch = ProcessBudgets(share=1 / 4).limiters(URL, "app", VirtualClock())

    assert (9 / 4, 150) == (ordinary.statistics().rate, ordinary.statistics().burst)
    assert (1 / 4, 125) == (batch.statistics().rate, batch.statistics().burst)


@pytest.mark.parametrize("share", [0, -1, 1.01, float("nan"), "1/4"])
def test_a_share_that_is_no_part_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match=r"^share: "):
        ProcessBudgets(share=share)


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


async def test_both_limiters_of_an_app_are_closed_even_if_closing_one_fails() -> None:
    closed: list[str] = []

    class Stubborn(TokenBucket):
        async def aclose(self) -> None:
            raise OSError("no")

    class Willing(TokenBucket):
        async def aclose(self) -> None:
            closed.append("batch")

    with pytest.raises(OSError, match="no"):
        await OwnBudgets(Stubborn(1, 1), Willing(1, 1)).aclose()

    assert ["batch"] == closed
