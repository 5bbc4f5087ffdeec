"""What every test may ask for."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from talkjs_async import AsyncTalkJS, OwnBudgets, TokenBucket
from talkjs_async.emulator import Emulator
from talkjs_async.emulator.switches import ENVIRONMENT
from tests.fixtures import MakeTalkJS
from tests.pairwise import kept
from tests.postgres_server import PostgresServer, directory_of_programs
from tests.redis_server import RedisServer

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # So it is behind `&` of a script, and Ctrl-C would not reach the programs that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts a time: machines are busy with other things.
settings.register_profile("default", deadline=None)
# `pytest --hypothesis-profile=long tests/core/test_walk_machine.py`: hours of bad luck.
settings.register_profile("long", max_examples=10_000)


# For `nox -s mutants`, which runs the same tests in many forks of one process. To kill
# a mutant, any example will do: to find the smallest one takes up to a minute.
settings.register_profile(
    "mutants",
    derandomize=True,
    max_examples=25,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the environment of whoever runs it."""
    for variable in ("TALKJS_APP_ID", "TALKJS_SECRET_KEY", "TALKJS_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def pinned_switches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run under other settings, keep the defaults that a test is about."""
    if ENVIRONMENT in os.environ:
        monkeypatch.setenv(ENVIRONMENT, kept(os.environ[ENVIRONMENT], request.node.nodeid))


class _FullDisk(logging.Handler):
    """A handler that fails as one does whose disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture
def failing_log() -> Iterator[None]:
    """The logger of the package writes to a full disk."""
    logger = logging.getLogger("talkjs_async")
    handler, level = _FullDisk(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def emulator() -> Emulator:
    """An empty TalkJS of this test's own."""
    return Emulator()


@pytest.fixture(params=["httpx", "httpx2"])
def engine(request: pytest.FixtureRequest) -> str:
    """Whatever sends does so with both libraries."""
    name: str = request.param
    return name


@pytest.fixture
async def make_talkjs(
    anyio_backend: str, emulator: Emulator, engine: str
) -> AsyncIterator[MakeTalkJS]:
    """Build a client of the emulator with options of the test's own; closed after the test."""
    async with AsyncExitStack() as clients:

        def make(**options: Any) -> AsyncTalkJS:
            if options.keys() & {"limiter", "batch_limiter"}:
                # The one that a test does not name is a full one of its own.
                ordinary = options.pop("limiter", None) or TokenBucket(clock=emulator.clock)
                batch = options.pop("batch_limiter", None) or TokenBucket(
                    1.0, 500, clock=emulator.clock
                )
                options["budgets"] = OwnBudgets(ordinary, batch)
            options = {"engine": engine, "transport": emulator.transport, **options}
            talkjs = AsyncTalkJS(
                emulator.app_id, emulator.secret_key, clock=emulator.clock, **options
            )
            clients.push_async_callback(talkjs.aclose)
            return talkjs

        yield make


@pytest.fixture
async def talkjs(make_talkjs: MakeTalkJS) -> AsyncTalkJS:
    """A client of the emulator."""
    return make_talkjs()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for all tests of this run; each uses keys of its own."""
    _require_redis()
    # The path of a socket may not be longer than 100 characters or so.
    with TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis for one test, to do to it what one likes."""
    _require_redis()
    with TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of this run; in CI a missing one is a failure."""
    programs = directory_of_programs()
    if programs is None:
        reason = "PostgreSQL is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(Path(folder), programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _require_redis() -> None:
    """Skip without redis-server; in CI, where it is installed, fail."""
    if shutil.which("redis-server") is None:
        reason = "redis-server is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
