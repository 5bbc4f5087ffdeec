"""Users out of a real PostgreSQL, as the page and the example do it."""

from __future__ import annotations

import os
import re
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from talkjs_async import AsyncTalkJS, ConfigurationError, bulk
from talkjs_async.emulator import Emulator, Limits, VirtualClock
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "postgres_sync.py"
PAGE = ROOT / "docs" / "how-to" / "database.md"


@pytest.fixture
def anyio_backend() -> str:
    """asyncpg runs on asyncio only."""
    return "asyncio"


class StandingClock(VirtualClock):
    """A clock that does not jump while all tasks wait: they wait for a real database."""

    def jump(self) -> bool:
        return False


@pytest.fixture
def emulator() -> Emulator:
    """The budget is tested elsewhere, and so is how long a slow source is waited for."""
    return Emulator(clock=StandingClock(), limits=Limits.off())


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A table of a thousand customers."""
    engine = create_async_engine(postgres_server.url)
    await run(
        engine,
        "DROP TABLE IF EXISTS customers",
        "CREATE TABLE customers (id int, name text, email text, plan text)",
        "INSERT INTO customers SELECT n, 'Customer ' || n, 'c' || n || '@example.com', 'free' "
        "FROM generate_series(1, 1000) n",
    )
    yield engine
    await engine.dispose()


async def run(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


@pytest.fixture(params=["example", "page"])
def program(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the example and the page define; they are the same."""
    names: dict[str, Any] = {"__name__": "program"}
    page = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    exec(compile(EXAMPLE.read_text() if request.param == "example" else page, "x", "exec"), names)
    return names


async def test_the_second_night_sends_only_what_has_changed(
    program: dict[str, Any], talkjs: AsyncTalkJS, database: AsyncEngine, journal: Path
) -> None:
    sync = program["sync"]

    first = await sync(talkjs, database, journal)
    await run(
        database,
        "UPDATE customers SET plan = 'gold' WHERE id IN (7, 700)",
        "UPDATE customers SET email = NULL WHERE id = 8",
        "INSERT INTO customers VALUES (1001, 'New', NULL, 'free')",
        "DELETE FROM customers WHERE id = 9",
    )
    second = await sync(talkjs, database, journal)

    assert (1000, True) == (first.done, first.ok)
    # Full ones: the rows come faster than the budget's clock moves.
    assert 10 == first.requests
    assert (4, 996) == (second.done, second.unchanged)
    assert 1 == second.requests
    seven, eight, nine = [await talkjs.users.get(id_) for id_ in ("7", "8", "9")]
    assert ("gold", ()) == (seven.custom["plan"], eight.email)
    # Vanished, but nothing was asked for.
    assert "Customer 9" == nine.name
    assert ["9"] == list(second.vanished())


async def test_vanished_rows_are_anonymised_if_asked_for(
    program: dict[str, Any], talkjs: AsyncTalkJS, database: AsyncEngine, journal: Path
) -> None:
    sync = program["sync"]
    await talkjs.users.upsert("shop", name="The shop")
    await sync(talkjs, database, journal)
    await run(database, "DELETE FROM customers WHERE id > 990")

    await sync(talkjs, database, journal, forget=True)
    again = await sync(talkjs, database, journal, forget=True)
    await run(database, "INSERT INTO customers VALUES (999, 'Back', NULL, 'free')")
    back = await sync(talkjs, database, journal, forget=True)

    names = [(await talkjs.users.get(id_)).name for id_ in ("990", "991", "1000", "shop", "999")]
    assert ["Customer 990", "[DELETED]", "[DELETED]", "The shop", "Back"] == names
    assert (0, 990) == (again.done, again.unchanged)
    # What was forgotten is sent as a new one.
    assert (1, 990) == (back.done, back.unchanged)


async def test_more_than_a_twentieth_needs_a_second_consent(
    program: dict[str, Any], talkjs: AsyncTalkJS, database: AsyncEngine, journal: Path
) -> None:
    sync = program["sync"]
    await sync(talkjs, database, journal)
    await run(database, "DELETE FROM customers WHERE id > 949")

    with pytest.raises(ConfigurationError, match="51 of 1000 users have vanished: look into"):
        await sync(talkjs, database, journal, forget=True)

    assert "Customer 950" == (await talkjs.users.get("950")).name
    report = await sync(talkjs, database, journal)
    assert 51 == len(await bulk.anonymise_vanished(talkjs, report, max_share=0.051))
    assert "[DELETED]" == (await talkjs.users.get("950")).name


async def test_a_source_that_breaks_at_row_500_anonymises_no_user(
    program: dict[str, Any], talkjs: AsyncTalkJS, database: AsyncEngine, journal: Path
) -> None:
    await program["sync"](talkjs, database, journal)
    before = await talkjs.users.list().collect()
    # PostgreSQL itself fails when the cursor comes to this row.
    program["QUERY"] = text(
        "SELECT id, name, email, plan, 1 / (id - 500) FROM customers WHERE id <= 600 ORDER BY id"
    )
    job = bulk.upsert_users(talkjs, program["customers"](database), journal=journal)

    with pytest.raises(PostgresError, match="division by zero"):
        await program["sync"](talkjs, database, journal, forget=True)
    with pytest.raises(PostgresError, match="division by zero"):
        await job

    assert before == await talkjs.users.list().collect()
    assert not job.report.complete
    with pytest.raises(ConfigurationError, match="a source that was read to its end"):
        list(job.report.vanished())
    with pytest.raises(ConfigurationError, match="a source that was read to its end"):
        await bulk.anonymise_vanished(talkjs, job.report)


@pytest.mark.harness
@pytest.mark.parametrize("engine", ["httpx"])
async def test_rows_are_read_no_faster_than_they_are_sent(
    program: dict[str, Any], talkjs: AsyncTalkJS, emulator: Emulator, database: AsyncEngine
) -> None:
    await run(
        database,
        "INSERT INTO customers SELECT n, 'C', NULL, 'free' FROM generate_series(1001, 20000) n",
    )
    ahead = read = 0

    async def counted() -> AsyncIterator[dict[str, Any]]:
        nonlocal ahead, read
        async for row in program["customers"](database):
            read += 1
            ahead = max(ahead, read - len(emulator.commits.of("user.created")))
            yield row

    report = await bulk.upsert_users(talkjs, counted())

    assert 20_000 == report.done
    assert ahead < 6_000


async def test_a_table_is_streamed_and_not_held(
    program: dict[str, Any], database: AsyncEngine
) -> None:
    await run(
        database,
        "INSERT INTO customers SELECT n, 'C', NULL, 'free' FROM generate_series(1001, 100000) n",
    )
    rows = program["customers"](database)
    await anext(rows)
    tracemalloc.start()

    count = 1 + sum([1 async for _ in rows])

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 100_000 == count
    assert peak < 8_000_000


async def test_the_example_runs(postgres_server: PostgresServer, database: AsyncEngine) -> None:
    await run(database, "DROP TABLE customers")

    environment = {**os.environ, "DATABASE_URL": postgres_server.url}
    done = await anyio.run_process([sys.executable, str(EXAMPLE)], env=environment)

    nights = b"first night: 500 sent, 0 unchanged\nsecond night: 0 sent, 500 unchanged\n"
    assert nights == done.stdout
