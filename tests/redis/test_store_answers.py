"""What Redis may answer instead of what it was asked for: a state that passes, or a mistake."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import anyio
import pytest
import redis

from talkjs_async._core.tasks import in_trio
from talkjs_async.errors import ConfigurationError, LimiterUnavailable
from talkjs_async.redis import RedisLimiter, Script
from talkjs_async.redis._script import ASK
from talkjs_async.redis._store import ClientStore, StoreLost, StoreOpener, StoreRefused
from talkjs_async.telemetry import LimiterEvent, StoreAway, StoreBack
from tests.redis.forwarder import TCPForwarder
from tests.redis_server import RedisServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Make = Callable[..., RedisLimiter]

IN_SCRIPT: Final = "ERR Error running script (call to f_0a): @user_script:9: "

PASSING: Final = [
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "READONLY You can't write against a read only replica.",
    "READONLY Can not run script with write flag on readonly replica",
    "OOM command not allowed when used memory > 'maxmemory'. script: 0a, on @user_script:9.",
    "NOREPLICAS Not enough good replicas to write.",
    "CLUSTERDOWN The cluster is down",
    "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "EXECABORT Transaction discarded because of previous errors.",
    "NOSCRIPT No matching script. Please use EVAL.",
    "ERR max number of clients reached",
    "ERR max number of clients + cluster connections reached",
    "ERR Script killed by user with SCRIPT KILL... script: 0a, on @user_script:9.",
    # As Redis 6 says it.
    f"{IN_SCRIPT}Script killed by user with SCRIPT KILL...",
    f"{IN_SCRIPT}@user_script: 9: -OOM command not allowed when used memory > 'maxmemory'.",
    f"{IN_SCRIPT}@user_script: 9: -READONLY You can't write against a read only replica.",
    f"{IN_SCRIPT}@user_script: 9: -MISCONF Redis is configured to save RDB snapshots, but",
]

MISTAKES: Final = [
    ("NOAUTH Authentication required.", "the password is wrong or missing"),
    ("WRONGPASS invalid username-password pair or user is disabled.", "the password is wrong"),
    ("ERR invalid password", "the password is wrong or missing"),
    ("NOPERM this user has no permissions to run the 'evalsha' command", "no permissions"),
    ("NOPERM User BUSY has no permissions to run the 'evalsha' command", "no permissions"),
    ("ERR The user executing the script can't run this command or subcommand", "can't run"),
    ("ERR ACL failure in script: User app has no permissions to run 'hset'", "ACL failure"),
    (f"{IN_SCRIPT}The user executing the script can't run this command", "can't run"),
    (f"{IN_SCRIPT}@user_script: 9: WRONGTYPE Operation against a key holding", "WRONGTYPE"),
    ("ERR user_script:9: attempt to perform arithmetic on field 'rate'", "attempt to"),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
    ("CROSSSLOT Keys in request don't hash to the same slot", "same slot"),
    ("DENIED Redis is running in protected mode because protected mode is", "protected mode"),
    ("NOPROTO unsupported protocol version", "NOPROTO"),
    ("ERR unknown command 'EVALSHA', with args beginning with: 'x'", r"For a Sentinel, pass"),
]


@pytest.fixture
def address(redis_server: RedisServer) -> Iterator[TCPForwarder]:
    with TCPForwarder(redis_server.folder / "redis.sock") as address:
        yield address


@pytest.fixture
async def make(address: TCPForwarder) -> AsyncIterator[Make]:
    """Make limiters of one app, and close them in the end."""
    made: list[RedisLimiter] = []
    app_id = uuid4().hex

    def make(url: object = f"redis://127.0.0.1:{address.port}", **options: Any) -> RedisLimiter:
        options = {"rate": 200.0, "burst": 20, "tokens": 20, "processes": 1, **options}
        made.append(RedisLimiter(url, app_id, **options))
        return made[-1]

    yield make
    address.instead = b""
    for limiter in made:
        await limiter.aclose()


def outages(limiter: RedisLimiter) -> list[type[LimiterEvent]]:
    """Where its outages are noted as they begin and end."""
    seen: list[type[LimiterEvent]] = []

    def note(event: LimiterEvent) -> None:
        if isinstance(event, StoreAway | StoreBack):
            seen.append(type(event))

    limiter.listen(note)
    return seen


async def use(limiter: RedisLimiter, *, until: str) -> None:
    """Call, refused or not, until the budget is kept there."""
    with anyio.fail_after(30):
        while limiter.statistics().kept_in != until or not limiter.statistics().granted:
            try:
                (await limiter.acquire()).settle()
            except LimiterUnavailable:
                await anyio.sleep(0.02)


@pytest.mark.parametrize("answer", PASSING)
async def test_what_passes_is_an_outage_at_the_first_call_and_later(
    address: TCPForwarder, make: Make, answer: str
) -> None:
    address.instead = f"-{answer}\r\n".encode()
    limiter = make()
    seen = outages(limiter)

    with anyio.fail_after(20):
        (await limiter.acquire()).settle()
    assert "alone" == limiter.statistics().kept_in
    address.instead = b""
    await use(limiter, until="store")
    address.instead = f"-{answer}\r\n".encode()
    await use(limiter, until="alone")
    address.instead = b""
    await use(limiter, until="store")

    assert [StoreAway, StoreBack] * 2 == seen


@pytest.mark.parametrize(("answer", "sentence"), MISTAKES)
async def test_a_mistake_is_refused_at_the_first_call_and_an_outage_later(
    address: TCPForwarder, make: Make, answer: str, sentence: str
) -> None:
    address.instead = f"-{answer}\r\n".encode()
    limiter = make()
    seen = outages(limiter)

    with anyio.fail_after(20), pytest.raises(LimiterUnavailable, match=sentence):
        await limiter.acquire()
    assert 0 == limiter.statistics().granted
    address.instead = b""
    await use(limiter, until="store")
    address.instead = f"-{answer}\r\n".encode()
    await use(limiter, until="alone")

    assert [StoreAway, StoreBack, StoreAway] == seen


async def test_a_script_that_is_killed_may_run_the_next_time(own_redis: RedisServer) -> None:
    code = "while true do end"
    script = Script(code, own_redis.cli("script", "load", code))
    own_redis.cli("config", "set", "busy-reply-threshold", "1")
    store = StoreOpener(own_redis.url).open(on_asyncio=not in_trio())

    async def kill() -> None:
        with anyio.fail_after(20):
            while own_redis.cli("script", "kill") != "OK":  # noqa: ASYNC110 - Redis tells nobody
                await anyio.sleep(0.02)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill)
        with pytest.raises(StoreLost, match="killed by user"):
            await store.run(script, [], "{}")
    await store.aclose()


class Failing:
    """A client whose questions end with one error, wrapped as redis-py wraps it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute_command(self) -> None: ...

    def evalsha(self, *_: object) -> str:
        raise redis.ConnectionError("Error connecting") from self._error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied"), StoreRefused),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] protocol version"), StoreRefused),
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] required"), StoreRefused),
        (ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] failure"), StoreRefused),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] unknown ca"), StoreRefused),
        (ssl.SSLError(1, "[X509: KEY_VALUES_MISMATCH] mismatch"), StoreRefused),
        (ssl.SSLError(1, "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate"), StoreRefused),
        (ssl.SSLError(9, "[SSL] PEM lib (_ssl.c:3900)"), StoreRefused),
        (ssl.SSLError(1, "[SSL: APPLICATION_DATA_AFTER_CLOSE_NOTIFY] data"), StoreLost),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), StoreLost),
        (FileNotFoundError(2, "No such file or directory"), StoreLost),
        (ConnectionResetError(104, "Connection reset by peer"), StoreLost),
        (socket.gaierror(-3, "Temporary failure in name resolution"), StoreLost),
        (TimeoutError(), StoreLost),
    ],
    ids=str,
)
async def test_what_goes_wrong_while_it_connects(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await ClientStore(Failing(error)).run(ASK, [], "{}")


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
async def test_a_file_that_is_not_there_is_told_when_the_limiter_is_made(
    tmp_path: Path, make: Make, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^url_or_client: {name}: there is no file"):
        make(f"rediss://redis.example?{name}={tmp_path}/none.pem")


class Cancelled:
    """A store that awaits something cancelled, such as a connection of a pool that was closed."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str:
        self.asked += 1
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
        raise AssertionError

    async def aclose(self) -> None: ...


# trio has no such error.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_store_that_meets_a_cancellation_of_something_else_is_away() -> None:
    store = Cancelled()
    limiter = RedisLimiter(store, app_id="app")
    seen = outages(limiter)

    with anyio.fail_after(20):
        (await limiter.acquire()).settle()

    assert ("alone", [StoreAway]) == (limiter.statistics().kept_in, seen)
    assert store.asked < 20
    await limiter.aclose()


class Unclosable:
    """A store that is away, and whose connection cannot be closed."""

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str:
        raise ConnectionError("it is away")

    async def aclose(self) -> None:
        raise OSError("it is gone")


@pytest.mark.usefixtures("failing_log")
async def test_a_log_that_fails_ends_no_task_of_the_limiter() -> None:
    limiter = RedisLimiter(Unclosable(), app_id="app")
    failed: list[object] = []
    if not in_trio():
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failed.append(told))

    with anyio.fail_after(20):
        (await limiter.acquire()).settle()
        # On trio, what a task of the system raises ends the program.
        await limiter.aclose()
    gc.collect()

    assert [] == failed
