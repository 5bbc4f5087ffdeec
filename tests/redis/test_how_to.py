"""What the page about Redis shows, runs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest

from talkjs_async.emulator import Emulator, RealClock
from tests.redis_server import RedisServer
from tests.test_docs import blocks

PAGE = "how-to/redis.md"


@pytest.fixture
def anyio_backend() -> str:
    """The page uses asyncio clients of redis-py."""
    return "asyncio"


@pytest.fixture
def served(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator and a Redis that the environment points to."""
    emulator = Emulator(clock=RealClock())
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        monkeypatch.setenv("REDIS_URL", redis_server.url)
        yield emulator


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(
    served: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    for code, output in blocks(PAGE):
        compiled = compile(code, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        done = eval(compiled, {"__name__": PAGE})
        if inspect.isawaitable(done):
            await done

        assert output == capsys.readouterr().out
    assert [200, 200] == [exchange.status for exchange in served.requests]
