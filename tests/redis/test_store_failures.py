"""What a real Redis does to its users: restarts, failovers, refusals, distance."""

from __future__ import annotations

import gc
import re
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import anyio
import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import trustme

from talkjs_async._core.clock import SYSTEM_CLOCK
from talkjs_async.errors import LimiterUnavailable
from talkjs_async.redis import RedisBudgets, RedisLimiter
from talkjs_async.telemetry import LimiterEvent, SettingsDiffer, StoreAway, StoreBack, StoreLostData
from tests.redis.forwarder import TCPForwarder
from tests.redis.strict_server import StrictServer, working
from tests.redis_server import RedisServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.harness,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RATE, BURST = 30.0, 60

Make = Callable[..., RedisLimiter]
Record = Callable[[str, object], None]
"""Where a test notes a figure for `python -m benchmarks redis --section stores`."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What is dropped while it connects may leave its socket to the garbage collector: now."""
    yield
    gc.collect()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make limiters of one app, and close them in the end."""
    made: list[RedisLimiter] = []
    app_id = uuid4().hex

    def make(url: object, **options: Any) -> RedisLimiter:
        options = {"rate": RATE, "burst": BURST, "background_reserve": 0, **options}
        made.append(RedisLimiter(url, app_id, **options))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.aclose()


def events_of(limiter: RedisLimiter) -> list[LimiterEvent]:
    events: list[LimiterEvent] = []
    limiter.listen(events.append)
    return events


def kinds(events: list[LimiterEvent]) -> list[type[LimiterEvent]]:
    wanted = StoreAway | StoreBack | StoreLostData | SettingsDiffer
    return [type(each) for each in events if isinstance(each, wanted)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait for something that happens beside."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - it happens in other processes
            await anyio.sleep(0.02)


class TestLostData:
    async def test_an_old_dump_is_data_that_was_lost(
        self, own_redis: RedisServer, make: Make, record_property: Record
    ) -> None:
        workers = [make(own_redis.url) for _ in range(8)]
        events = events_of(workers[0])
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *workers):
            await until(lambda: len(server.moments) > 5)
            own_redis.cli("save")
            await anyio.sleep(2.0)
            own_redis.kill()
            own_redis.start()
            back = time.monotonic()
            await anyio.sleep(5.0)

        record_property("old dump: 429s", len(server.refused))
        assert len(server.refused) <= server.to_be_refused
        assert server.served(back + 3.0, back + 5.0) >= 0.5
        assert StoreLostData in kinds(events)

    async def test_a_bucket_that_is_gone_starts_without_a_burst_for_new_processes(
        self, own_redis: RedisServer, make: Make, record_property: Record
    ) -> None:
        first = make(own_redis.url)
        await first.acquire()
        own_redis.cli("flushall")
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *(make(own_redis.url) for _ in range(8))):
            await anyio.sleep(2.0)

        record_property("bucket gone, new processes: 429s", len(server.refused))
        assert [] == server.refused
        assert server.moments

    async def test_a_bucket_that_expired_starts_with_its_burst(
        self, own_redis: RedisServer, make: Make
    ) -> None:
        evening, night = make(own_redis.url, rate=1.0), make(own_redis.url, rate=1.0)
        (await evening.acquire()).settle()
        await evening.aclose()
        for key in own_redis.cli("keys", "*").split():
            if own_redis.cli("ttl", key) != "-1":
                own_redis.cli("del", key)

        with anyio.fail_after(10):
            for _ in range(BURST):
                (await night.acquire()).settle()

    async def test_a_key_that_is_evicted_every_half_second_leaves_the_budget_in_use(
        self, own_redis: RedisServer, make: Make, record_property: Record
    ) -> None:
        workers = [make(own_redis.url) for _ in range(4)]
        events = events_of(workers[0])
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *workers):
            await until(lambda: len(server.moments) > 20)
            start = time.monotonic()
            for _ in range(10):
                own_redis.cli("flushall")
                await anyio.sleep(0.5)

        record_property("evicted twice a second: unused %", server.unused(start, start + 5.0))
        assert server.served(start, start + 5.0) >= 0.8
        assert StoreLostData in kinds(events)


class TestFailover:
    @pytest.fixture
    def pair(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
        """A master and its replica."""
        servers = []
        for name in ("one", "two"):
            folder = Path(tmp_path_factory.mktemp(name))
            servers.append(RedisServer(folder, port=free_port()))
            servers[-1].start()
        servers[1].cli("replicaof", "127.0.0.1", str(servers[0].port))
        yield servers
        for server in servers:
            server.kill()

    async def test_a_demoted_master_is_left_for_the_new_one(
        self, pair: list[RedisServer], make: Make, record_property: Record
    ) -> None:
        one, two = pair
        with TCPForwarder(one.port) as address:
            workers = [make(f"redis://127.0.0.1:{address.port}") for _ in range(2)]
            events = events_of(workers[0])
            server = StrictServer(RATE, BURST, tokens=0)
            async with working(server, *workers):
                await until(lambda: len(server.moments) > 20)
                address.target = two.port
                two.cli("replicaof", "no", "one")
                one.cli("replicaof", "127.0.0.1", str(two.port))
                moved = time.monotonic()
                await until(lambda: StoreBack in kinds(events))
                took = time.monotonic() - moved

        record_property("master demoted: away for s", took)
        record_property("master demoted: 429s", len(server.refused))
        assert took <= 2.0 + 2 * server.stalled()
        assert len(server.refused) <= server.to_be_refused

    async def test_sentinel_names_the_master(
        self,
        pair: list[RedisServer],
        make: Make,
        tmp_path: Path,
        anyio_backend: str,
        record_property: Record,
    ) -> None:
        if anyio_backend == "trio":
            pytest.skip("Sentinel's asyncio client")
        one, two = pair
        port = free_port()
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nsentinel monitor budget 127.0.0.1 {one.port} 1\n"
            "sentinel down-after-milliseconds budget 500\n"
            "sentinel failover-timeout budget 5000\n"
        )
        sentinel = subprocess.Popen(  # noqa: ASYNC220 - it takes a moment only
            ["redis-server", str(configuration), "--sentinel"], stdout=subprocess.DEVNULL
        )
        sentinels: Any = redis.asyncio.sentinel.Sentinel
        client = sentinels([("127.0.0.1", port)]).master_for("budget")
        asked: Any = redis.Redis(port=port)
        try:
            await until(lambda: _answers(asked) and _knows_a_replica(asked))
            workers = [make(client) for _ in range(2)]
            server = StrictServer(RATE, BURST, tokens=0)
            async with working(server, *workers):
                await until(lambda: len(server.moments) > 20)
                asked.execute_command("SENTINEL", "FAILOVER", "budget")
                await until(lambda: _is_master(two))
                moved = time.monotonic()
                await anyio.sleep(3.0)
                await until(lambda: workers[0].statistics().kept_in == "store")
                await anyio.sleep(1.0)
                assert server.served(moved, time.monotonic()) >= 0.4
        finally:
            sentinel.kill()
            sentinel.wait()
            asked.close()
            await client.aclose()

        record_property("Sentinel's failover: 429s", len(server.refused))
        assert len(server.refused) <= server.to_be_refused


def _is_master(server: RedisServer) -> bool:
    try:
        return server.cli("role").startswith("master")
    except subprocess.CalledProcessError:
        # It drops connections when it changes its role.
        return False


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _knows_a_replica(client: Any) -> bool:
    masters = client.execute_command("SENTINEL", "MASTERS")
    flat = masters[0] if isinstance(masters, list) else masters.get("budget", masters)
    text = str(flat)
    return (
        "num-slaves" in text and "'num-slaves': 0" not in text and "'num-slaves', '0'" not in text
    )


class TestShares:
    async def test_those_who_left_have_no_share(
        self, own_redis: RedisServer, make: Make, record_property: Record
    ) -> None:
        workers = [make(own_redis.url) for _ in range(4)]
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *workers, tasks=3):
            for _ in range(20):
                short = make(own_redis.url)
                (await short.acquire()).settle()
                await short.aclose()
            await anyio.sleep(3.0)
            own_redis.kill()
            await until(lambda: all(each.statistics().kept_in == "alone" for each in workers))
            start = time.monotonic()
            await anyio.sleep(3.0)

        record_property("away, short-lived members: unused %", server.unused(start, start + 3.0))
        assert server.served(start, start + 3.0) >= 0.8
        assert len(server.refused) <= server.to_be_refused

    async def test_those_who_start_together_count_each_other(
        self, own_redis: RedisServer, make: Make, record_property: Record
    ) -> None:
        workers = [make(own_redis.url) for _ in range(8)]
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *workers, tasks=3):
            await until(lambda: len(server.moments) > 1.5 * RATE)
            own_redis.kill()
            await anyio.sleep(3.0)

        record_property("away, 8 just started: 429s", len(server.refused))
        assert len(server.refused) <= server.to_be_refused
        assert server.served(server.moments[0], server.moments[-1]) >= 0.8


class TestSettings:
    async def test_the_smaller_settings_hold_and_a_warning_names_both(
        self,
        own_redis: RedisServer,
        make: Make,
        caplog: pytest.LogCaptureFixture,
        record_property: Record,
    ) -> None:
        right = [make(own_redis.url) for _ in range(2)]
        wrong = make(own_redis.url, rate=3 * RATE, burst=10 * BURST)
        events = events_of(wrong)
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, *right, wrong):
            await until(lambda: len(server.moments) > 3 * RATE)

        [told] = [each for each in events if isinstance(each, SettingsDiffer)]
        assert (3 * RATE, 10 * BURST, BURST) == (told.rate, told.burst, told.burst_in_force)
        assert pytest.approx(RATE) == told.rate_in_force
        assert "Here: 90 requests/s, burst 600; in force, because smaller: 30" in caplog.text
        record_property("other settings: 429s", len(server.refused))
        assert len(server.refused) <= server.to_be_refused

    async def test_budgets_of_a_test_server_are_its_own(self, own_redis: RedisServer) -> None:
        budgets = RedisBudgets(own_redis.url)

        real, _ = budgets.limiters("https://api.talkjs.com", "app", SYSTEM_CLOCK)
        same, _ = budgets.limiters("https://API.talkjs.com:443", "app", SYSTEM_CLOCK)
        test, _ = budgets.limiters("http://localhost:8000", "app", SYSTEM_CLOCK)

        assert real is same
        assert "talkjs:{app}:ordinary" in repr(real)
        assert "talkjs:{app@localhost:8000}:ordinary" in repr(test)
        await budgets.aclose()


class TestDistance:
    @pytest.fixture
    def far(self, tmp_path: Path) -> Iterator[str]:
        """A URL with TLS and a password, at a round trip of 0.2 s."""
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        port = free_port()
        options = ["--tls-port", str(port), "--tls-cert-file", str(tmp_path / "cert.pem")]
        options += ["--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no"]
        options += ["--tls-ca-cert-file", str(tmp_path / "ca.pem")]
        server = RedisServer(tmp_path, *options)
        server.start()
        server.cli("config", "set", "requirepass", "secret")
        with TCPForwarder(port, delay=0.1) as address:
            yield (f"rediss://:secret@127.0.0.1:{address.port}?ssl_ca_certs={tmp_path / 'ca.pem'}")
        server.kill()

    async def test_over_an_ocean_with_tls_the_budget_is_used(
        self, far: str, make: Make, record_property: Record
    ) -> None:
        limiter = make(far)
        server = StrictServer(RATE, BURST, tokens=0)

        async with working(server, limiter, tasks=20):
            await until(lambda: limiter.statistics().kept_in == "store" and bool(server.moments))
            await anyio.sleep(2.0)
            start = time.monotonic()
            await anyio.sleep(3.0)
            kept_in = limiter.statistics().kept_in

        record_property("round trip of 0.2 s with TLS: unused %", server.unused(start, start + 3.0))
        assert server.served(start, start + 3.0) >= 0.95
        assert "store" == kept_in
        assert [] == server.refused

    async def test_a_certificate_that_is_not_trusted_is_a_mistake(
        self, far: str, make: Make, record_property: Record
    ) -> None:
        limiter = make(far.partition("?")[0])

        with pytest.raises(LimiterUnavailable) as caught:
            await limiter.acquire()

        named = re.search(r"certificate is not trusted.*ssl_ca_certs", str(caught.value))
        record_property("certificate not trusted: refused without saying so", int(not named))
        assert named


@contextmanager
def missing_replicas(server: RedisServer) -> Iterator[None]:
    server.cli("config", "set", "min-replicas-to-write", "1")
    yield
    server.cli("config", "set", "min-replicas-to-write", "0")


@contextmanager
def replica(server: RedisServer) -> Iterator[None]:
    server.cli("replicaof", "127.0.0.1", "1")
    yield
    server.cli("replicaof", "no", "one")


@contextmanager
def busy(server: RedisServer) -> Iterator[None]:
    server.cli("config", "set", "busy-reply-threshold", "1")
    script = threading.Thread(target=server.cli, args=("eval", "while true do end", "0"))
    script.start()
    time.sleep(0.3)
    yield
    server.cli("script", "kill")
    script.join()


@contextmanager
def full_disk(server: RedisServer) -> Iterator[None]:
    # For what has to be written, a folder in its place is as bad.
    folder = server.folder / "dump.rdb"
    folder.mkdir()
    server.cli("config", "set", "save", "3600 1")
    _save(server, "err")
    yield
    folder.rmdir()
    _save(server, "ok")


def _save(server: RedisServer, status: str) -> None:
    """Save in the background until it comes out as *status*."""
    deadline = time.monotonic() + 20
    while f"rdb_last_bgsave_status:{status}" not in server.cli("info", "persistence"):
        assert time.monotonic() < deadline
        server.cli("bgsave")
        time.sleep(0.1)


@contextmanager
def too_many_clients(server: RedisServer) -> Iterator[None]:
    with redis.Redis.from_url(server.url) as one:
        one.config_set("maxclients", 1)
        yield
        one.config_set("maxclients", 100)


PASSING: Final = [missing_replicas, replica, busy, full_disk, too_many_clients]


class TestRefusals:
    @pytest.mark.parametrize("condition", PASSING, ids=lambda each: each.__name__)
    async def test_what_passes_is_an_outage_also_at_the_first_call(
        self,
        own_redis: RedisServer,
        make: Make,
        condition: Callable[[RedisServer], AbstractContextManager[None]],
        record_property: Record,
    ) -> None:
        limiter = make(own_redis.url, processes=1)
        events = events_of(limiter)

        with condition(own_redis):
            try:
                with anyio.fail_after(20):
                    (await limiter.acquire()).settle()
            finally:
                granted = limiter.statistics().granted
                record_property("state that passes, first call: refused", 1 - granted)
            kept_in = limiter.statistics().kept_in
        server = StrictServer(RATE, BURST, tokens=0)
        async with working(server, limiter):
            over = time.monotonic()
            await until(lambda: limiter.statistics().kept_in == "store")
            took = time.monotonic() - over

        record_property("the same, when it has passed: back after s", took)
        assert [StoreAway, StoreBack] == kinds(events)
        assert "alone" == kept_in
        assert took <= 2.0 + 2 * server.stalled()

    async def test_a_user_without_permission_is_a_mistake(
        self, own_redis: RedisServer, make: Make
    ) -> None:
        own_redis.cli("acl", "setuser", "app", "on", ">secret", "~*", "+ping")

        limiter = make(own_redis.url.replace("unix://", "unix://app:secret@"))

        with pytest.raises(LimiterUnavailable, match="no permissions"):
            await limiter.acquire()


class TestCluster:
    @pytest.fixture
    def nodes(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
        servers = []
        for name in ("one", "two"):
            folder = Path(tmp_path_factory.mktemp(name))
            server = RedisServer(folder, "--cluster-enabled", "yes", port=free_port())
            server.start()
            servers.append(server)
        one, two = servers
        one.cli("cluster", "addslotsrange", "0", "8191")
        two.cli("cluster", "addslotsrange", "8192", "16383")
        one.cli("cluster", "meet", "127.0.0.1", str(two.port))
        deadline = time.monotonic() + 20
        while any("cluster_state:ok" not in each.cli("cluster", "info") for each in servers):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield servers
        for server in servers:
            server.kill()

    async def test_the_url_of_any_node_works(
        self, nodes: list[RedisServer], make: Make, record_property: Record
    ) -> None:
        kept_in = set()
        for node in nodes:
            limiter = make(f"redis://127.0.0.1:{node.port}", tokens=5)
            with suppress(LimiterUnavailable), anyio.fail_after(20):
                (await limiter.acquire()).settle()
                kept_in.add(limiter.statistics().kept_in)

        record_property("URL of a Cluster's node: not served", int(kept_in != {"store"}))
        assert {"store"} == kept_in

    @pytest.fixture
    def moving(self, nodes: list[RedisServer], make: Make) -> Moving:
        """The same while the slot of the budget moves to another node."""
        limiter = make(f"redis://127.0.0.1:{nodes[0].port}")
        return Moving(nodes, repr(limiter).split()[1])

    async def test_a_slot_that_moves_is_an_outage_at_worst(
        self, moving: Moving, make: Make
    ) -> None:
        limiter = make(moving.url, tokens=5, processes=1)
        events = events_of(limiter)

        # The old node has no such key and says ASK; the new one has not got all and says TRYAGAIN.
        with anyio.fail_after(20):
            (await limiter.acquire()).settle()
        assert "alone" == limiter.statistics().kept_in
        moving.end()
        async with working(StrictServer(RATE, BURST, tokens=0), limiter):
            await until(lambda: limiter.statistics().kept_in == "store")

        assert [StoreAway, StoreBack] == kinds(events)

    async def test_a_slot_whose_keys_have_moved_is_asked_for_where_they_are(
        self, moving: Moving, make: Make
    ) -> None:
        moving.move_keys()
        limiter = make(moving.url, tokens=5)
        events = events_of(limiter)

        with anyio.fail_after(20):
            (await limiter.acquire()).settle()

        assert "store" == limiter.statistics().kept_in
        assert [StoreAway] != kinds(events)[:1]

    async def test_a_client_of_one_node_is_a_mistake_as_soon_as_the_slot_moves(
        self, moving: Moving, make: Make
    ) -> None:
        rule = r"one node.*RedisCluster\.from_url"

        with redis.Redis.from_url(moving.url) as client:
            limiter = make(client)
            with pytest.raises(LimiterUnavailable, match=rule):
                await limiter.acquire()


class Moving:
    """A slot that is on its way from one node of a Cluster to another one."""

    def __init__(self, nodes: list[RedisServer], key: str) -> None:
        self._key = key
        self._slot = nodes[0].cli("cluster", "keyslot", key)
        self._old, self._new = nodes if int(self._slot) < 8192 else reversed(nodes)
        self.url = f"redis://127.0.0.1:{self._old.port}"
        self._new_id = self._new.cli("cluster", "myid")
        old_id = self._old.cli("cluster", "myid")
        self._new.cli("cluster", "setslot", self._slot, "importing", old_id)
        self._old.cli("cluster", "setslot", self._slot, "migrating", self._new_id)

    def move_keys(self) -> None:
        """Have all keys of the budget in the new node, as if another process had made them."""
        keys = (self._key, f"{self._key}:members")
        with redis.Redis(port=self._new.port, single_connection_client=True) as client:
            for key in keys:
                client.execute_command("ASKING")
                client.hset(key, "nothing", "0")
            client.execute_command("ASKING")
            client.set(f"{self._key}:marker", "0")

    def end(self) -> None:
        """Say that the slot has moved."""
        for node in (self._new, self._old):
            node.cli("cluster", "setslot", self._slot, "node", self._new_id)


def test_another_event_loop_takes_over_when_the_one_that_asks_is_stuck(
    own_redis: RedisServer, record_property: Record
) -> None:
    limiter = RedisLimiter(own_redis.url, "app", rate=RATE, burst=BURST)
    hosted, blocked = threading.Event(), threading.Event()
    waits: list[float] = []
    server = StrictServer(RATE, BURST)

    async def host() -> None:
        (await limiter.acquire()).settle()
        hosted.set()
        blocked.wait(20)

    async def others() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.watch)
            for _ in range(30):
                before = time.monotonic()
                (await limiter.acquire()).settle()
                waits.append(time.monotonic() - before)
            group.cancel_scope.cancel()

    stuck = threading.Thread(target=anyio.run, args=(host,), daemon=True)
    stuck.start()
    assert hosted.wait(20)
    anyio.run(others)
    blocked.set()
    stuck.join(20)

    record_property("asking event loop stuck: waited s", max(waits))
    assert max(waits) <= 1.0 + 2 * server.stalled()


async def test_slow_answers_cause_no_429_in_a_small_bucket(
    own_redis: RedisServer, make: Make, record_property: Record
) -> None:
    workers = [make(own_redis.url, burst=20, tokens=20) for _ in range(4)]
    server = StrictServer(RATE, 20)

    async with working(server, *workers, answer=(0.2, 0.6), ahead=0.7):
        await anyio.sleep(4.0)

    record_property("slow answers, burst 20: 429s", len(server.refused))
    assert [] == server.refused
    assert server.moments
