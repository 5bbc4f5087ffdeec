"""
The protocol, in simulated time: whatever happens to processes, network, Redis and its clock.

Never more requests than burst and rate allow, and two per thing that went wrong; no process waits
for much longer than its fair share; and back to normal soon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.redis.protocol_world import BURST, RATE, SimulatedRedis, Snapshot, World
from tests.redis.troubles import TROUBLES, evicted, joined, killed, wiped
from tests.redis_server import RedisServer

pytestmark = pytest.mark.harness

LONG: Final = os.environ.get("TALKJS_HARNESSES") == "long"

NORMAL_AGAIN: Final = 12.0
"""Seconds after the last trouble until all is as it was: a process that died counts for ten."""

RATE_AGAIN: Final = 60.0
"""Seconds after a 429 until the rate is used again: another client may be the cause of it."""

LOST_QUESTION: Final = 1.0
"""Seconds that one of the few questions that get lost costs, when they hit a lone process."""


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def world_of(client: redis.Redis, *, processes: int, seed: int = 0) -> World:
    """So many processes that want everything, on an empty bucket, after half a minute."""
    world = World(SimulatedRedis(client, uuid4().hex), seed)
    for _ in range(processes):
        world.start()
    world.run(15.0)
    world.empty_the_server()
    return world


def test_a_bucket_that_no_process_vouches_for_starts_empty(client: redis.Redis) -> None:
    world = World(SimulatedRedis(client, uuid4().hex), 0)
    world.empty_the_server()
    for _ in range(8):
        world.start()

    world.run(20.0)

    assert [] == world.refused
    assert len(world.arrivals) >= 0.97 * 20 * RATE


def test_three_tokens_cost_one_question(client: redis.Redis) -> None:
    world = world_of(client, processes=4)
    before = sum(each.asked for each in world.processes)
    granted = len(world.arrivals)

    world.run(30.0)

    asked = sum(each.asked for each in world.processes) - before
    assert asked <= 0.5 * (len(world.arrivals) - granted)


@pytest.mark.parametrize("processes", [1, 4, 8])
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.__name__)
def test_one_trouble_costs_two_429s_at_most_and_passes(
    client: redis.Redis, trouble: Callable[[World], None], processes: int
) -> None:
    world = world_of(client, processes=processes, seed=processes)

    trouble(world)
    world.run(NORMAL_AGAIN)
    normal = world.now
    world.run(10.0)

    assert len(world.refused) <= 2
    if world.processes:
        # One question in a hundred gets lost, and takes half a second.
        assert world.used(since=normal) >= 0.9
        assert world.wait_of_95_in_100(since=normal) <= 2 * world.fair_wait + LOST_QUESTION


@pytest.mark.parametrize("processes", [1, 4, 8])
def test_a_key_that_is_lost_every_half_second_leaves_the_budget_in_use(
    client: redis.Redis, processes: int
) -> None:
    world = world_of(client, processes=processes)
    start = world.now

    for _ in range(30):
        evicted(world)
        world.run(0.5)

    assert world.used(since=start) >= 0.8
    assert len(world.refused) <= 30
    assert all(each.lost == 1 for each in world.processes), "an event, and not one each time"


def test_an_idle_app_whose_keys_expired_has_its_burst(client: redis.Redis) -> None:
    world = world_of(client, processes=1)
    killed(world)
    world.store.client.delete(*world.store.keys[:2])
    world.run(100.0)
    world.start().wants = 10 * BURST

    world.run(10.0)

    assert len(world.arrivals) >= BURST + 0.9 * 10 * RATE
    assert [] == world.refused


class ProtocolMachine(RuleBasedStateMachine):
    """Everything that can go wrong, in any order."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.world = world_of(self.client, processes=3)
        self.snapshot: Snapshot | None = None

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    @precondition(lambda self: len(self.world.processes) < 8)
    @rule()
    def a_process_starts(self) -> None:
        self.trouble(joined)

    @precondition(lambda self: len(self.world.processes) > 1)
    @rule()
    def a_process_dies(self) -> None:
        self.trouble(killed)

    @rule(wants=st.sampled_from([0, 1, 5, 15]), which=st.integers(0, 7))
    def a_process_wants_more_or_less(self, wants: int, which: int) -> None:
        self.world.processes[which % len(self.world.processes)].wants = wants

    @rule()
    def redis_writes_a_snapshot(self) -> None:
        if self.world.store.up:
            self.snapshot = self.world.store.save()

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def redis_is_as_it_was(self) -> None:
        self.trouble(lambda world: world.store.load(self.snapshot or []))

    @rule()
    def redis_loses_all(self) -> None:
        self.trouble(wiped)

    @rule()
    def redis_loses_the_bucket(self) -> None:
        self.trouble(evicted)

    @rule()
    def redis_goes_or_comes(self) -> None:
        def change(world: World) -> None:
            world.store.up = not world.store.up

        self.trouble(change)

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 0.3, 1.5, 3600.0]))
    def the_clock_of_redis_jumps(self, seconds: float) -> None:
        def change(world: World) -> None:
            world.store.ahead += seconds

        self.trouble(change)

    @rule(which=st.integers(0, 7))
    def the_network_parts_or_joins(self, which: int) -> None:
        def change(world: World) -> None:
            process = world.processes[which % len(world.processes)]
            process.connected = not process.connected

        self.trouble(change)

    def trouble(self, change: Callable[[World], Any]) -> None:
        self.world.changes += 1
        change(self.world)
        self.world.run(0.2)

    def teardown(self) -> None:
        world = self.world
        # What a part of the processes sends while it is cut off, the others cannot know.
        assert world.excess() <= 2 * world.changes + world.lent
        world.store.up = True
        for each in world.processes:
            each.connected = True
            each.wants = 5
        # Queues that have grown while Redis was away are served first.
        world.run(NORMAL_AGAIN + 10.0)
        if world.refused:
            world.run(world.refused[-1] + RATE_AGAIN - world.now)
        normal = world.now
        world.run(10.0)
        assert world.used(since=normal) >= 0.9
        assert world.wait_of_95_in_100(since=normal) <= 2 * world.fair_wait + LOST_QUESTION
        assert world.excess() <= 2 * (world.changes + 1) + world.lent
        world.store.client.delete(*world.store.keys)


def test_whatever_goes_wrong_the_budget_is_kept(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:

        class Machine(ProtocolMachine):
            pass

        Machine.client = client
        run_state_machine_as_test(
            Machine,
            settings=settings(
                deadline=None,
                max_examples=2000 if LONG else 10,
                stateful_step_count=50 if LONG else 20,
                suppress_health_check=list(HealthCheck),
            ),
        )
