"""What tests of limiters may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.limits.redis_server import RedisServer, require_redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for all tests of this run; each uses keys of its own."""
    require_redis()
    # The path of a socket may not be longer than 100 characters or so.
    with TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()
