"""What the page about Redis shows, runs."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.redis import RedisLimiter
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


@pytest.mark.anyio
@pytest.mark.parametrize(("database", "more"), [("", ""), ("?db=1", "+select")])
async def test_the_listed_commands_are_enough(
    own_redis: RedisServer, database: str, more: str
) -> None:
    page = (Path(__file__).parents[2] / "docs" / PAGE).read_text(encoding="utf-8")
    [listed] = re.findall(r"^~talkjs:\*.*$", page, re.MULTILINE)
    assert f"`{more}`" in page or not more
    rules = [*listed.split(), *more.split()]
    own_redis.cli("acl", "setuser", "app", "on", ">secret", "resetchannels", *rules)
    url = own_redis.url.replace("unix://", "unix://app:secret@") + database
    first, second = (RedisLimiter(url, "app", tokens=5) for _ in range(2))

    (await first.acquire()).settle()
    own_redis.cli("-n", database[-1:] or "0", "del", "talkjs:{app}:ordinary")
    (await second.acquire()).throttled()
    await first.aclose()
    await second.aclose()

    assert ["store", "store"] == [each.statistics().kept_in for each in (first, second)]
    assert "" == own_redis.cli("acl", "log"), "no command was refused"
