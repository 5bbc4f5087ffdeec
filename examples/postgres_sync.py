"""
Users out of PostgreSQL into TalkJS, every night: only what has changed is sent.

Run it with DATABASE_URL set to `postgresql+asyncpg://...`. It makes a table
`customers` with a few rows, and talks to a TalkJS inside this process: no account, no network. To
talk to the real TalkJS, set TALKJS_APP_ID and TALKJS_SECRET_KEY and build the client as
`AsyncTalkJS()`.

    pip install talkjs-async 'sqlalchemy[asyncio]' asyncpg
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from talkjs_async import AsyncTalkJS, bulk
from talkjs_async.emulator import Emulator

QUERY = text("SELECT id, name, email, plan FROM customers ORDER BY id")

SOME_CUSTOMERS = (
    "CREATE TABLE customers (id int, name text, email text, plan text)",
    "INSERT INTO customers SELECT n, 'Customer ' || n, NULL, 'free' FROM generate_series(1, 500) n",
)


async def customers(engine: AsyncEngine) -> AsyncIterator[dict[str, Any]]:
    """Stream the rows through a cursor of the server, a thousand at a time."""
    async with engine.connect() as connection:
        rows = await connection.stream(QUERY.execution_options(yield_per=1000))
        async for row in rows:
            yield {
                "id": str(row.id),
                "name": row.name,
                "email": None if row.email is None else [row.email],
                "custom": {"plan": row.plan},
            }


async def sync(
    talkjs: AsyncTalkJS, engine: AsyncEngine, journal: Path, *, forget: bool = False
) -> bulk.BulkReport:
    """
    Send what has changed since the last night.

    Args:
        forget: Whether to anonymise the users whose rows have vanished since then.
    """
    report = await bulk.upsert_users(talkjs, customers(engine), journal=journal)
    # Comes here only when the last row was read: an error of the database is raised above.
    if forget:
        await bulk.anonymise_vanished(talkjs, report)
    return report


async def main() -> None:
    engine = create_async_engine(os.environ["DATABASE_URL"])
    emulator = Emulator()
    async with (
        AsyncTalkJS(**emulator.options) as talkjs,
        engine.begin() as connection,
    ):
        for statement in SOME_CUSTOMERS:
            await connection.execute(text(statement))
        await connection.commit()
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder, "customers.journal")
            for night in ("first", "second"):
                report = await sync(talkjs, engine, journal, forget=True)
                print(f"{night} night: {report.done} sent, {report.unchanged} unchanged")
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
