"""
How a script gets to Redis and back, whichever client library and event loop there is.

Knows connections and their errors, nothing of tokens. Everything that can go wrong comes out as one
of two errors: `StoreLost` may pass by itself, `StoreRefused` is somebody's mistake.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import anyio
import anyio.to_thread

from talkjs_async.errors import ConfigurationError, LimiterUnavailable
from talkjs_async.redis._script import Script

if TYPE_CHECKING:
    import redis
    import redis.asyncio

ANSWER_TIME: Final = 0.25
"""Seconds to wait for an answer. Whoever waits longer is served better without Redis."""

_CONNECT_TIME: Final = 1.0
"""Seconds for a first connection, a TLS handshake over an ocean included."""


class StoreLost(LimiterUnavailable):
    """Redis cannot be reached, or does not answer in time."""


class StoreRefused(LimiterUnavailable):
    """Redis answers, but will not do it: password, permissions, a read-only replica."""


@runtime_checkable
class Store(Protocol):
    """
    A way to run scripts. Bring your own for a client library that is not built in.

    An exception of any kind from `run` counts as an outage.
    """

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        """
        Run *script*, by `EVALSHA` if Redis knows it and by `EVAL` if not.

        Args:
            script: What to run.
            keys: The keys that it touches, all in one cluster slot.
            argument: Its one argument.

        Returns:
            What it returned: one JSON text.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class AsyncioStore:
    """redis-py's asyncio client."""

    def __init__(self, client: redis.asyncio.Redis, *, owned: bool) -> None:
        self._client = client
        self._owned = owned

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        from redis.exceptions import NoScriptError, RedisError  # noqa: PLC0415 - an extra

        client: Any = self._client
        try:
            with anyio.fail_after(_CONNECT_TIME):
                try:
                    answer: str | bytes = await client.evalsha(
                        script.sha, len(keys), *keys, argument
                    )
                except NoScriptError:
                    answer = await client.eval(script.code, len(keys), *keys, argument)
                return answer
        except (RedisError, OSError) as error:
            raise _translate(error) from error

    async def aclose(self) -> None:
        if self._owned:
            await self._client.aclose()


class ThreadStore:
    """redis-py's blocking client in a worker thread: for every event loop."""

    def __init__(self, client: redis.Redis, *, owned: bool) -> None:
        self._client = client
        self._owned = owned
        self._busy = False

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

        if self._busy:
            # A client of yours may have no time limit. One thread that is stuck is enough.
            raise StoreLost("it has not answered the question before")
        self._busy = True
        try:
            with anyio.fail_after(_CONNECT_TIME):
                return await anyio.to_thread.run_sync(
                    self._run, script, keys, argument, abandon_on_cancel=True
                )
        except (RedisError, OSError) as error:
            raise _translate(error) from error

    def _run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        from redis.exceptions import NoScriptError  # noqa: PLC0415 - an extra

        client: Any = self._client
        try:
            try:
                answer: str | bytes = client.evalsha(script.sha, len(keys), *keys, argument)
            except NoScriptError:
                answer = client.eval(script.code, len(keys), *keys, argument)
            return answer
        finally:
            self._busy = False

    async def aclose(self) -> None:
        if self._owned:
            self._client.close()


class Door:
    """
    Opens stores for one *target*: a URL, a client of redis-py or a `Store`.

    Raises:
        ConfigurationError: The target is none of these.
    """

    def __init__(self, target: object) -> None:
        self._target = target
        self.shown = type(target).__name__
        if isinstance(target, str):
            self.shown = _checked(target)
        elif not (hasattr(target, "evalsha") or isinstance(target, Store)):
            raise ConfigurationError(
                "url_or_client", f"a URL, a client of redis-py or a Store, not {target!r}"
            )

    def open(self, *, on_asyncio: bool) -> Store:
        """Make a store for the event loop that runs. It belongs to this loop alone."""
        target: Any = self._target
        if isinstance(target, Store):
            return target
        if not isinstance(target, str):
            if inspect.iscoroutinefunction(target.execute_command):
                return AsyncioStore(target, owned=False)
            return ThreadStore(target, owned=False)
        import redis.asyncio  # noqa: PLC0415 - an extra
        from redis.asyncio.retry import Retry as AsyncRetry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        # A retry inside the client would wait for seconds while callers could be served without.
        options: dict[str, Any] = {
            "socket_timeout": ANSWER_TIME,
            "socket_connect_timeout": _CONNECT_TIME,
        }
        if on_asyncio:
            retry: Any = AsyncRetry(NoBackoff(), 0)
            client = redis.asyncio.Redis.from_url(target, retry=retry, **options)
            return AsyncioStore(client, owned=True)
        retry = Retry(NoBackoff(), 0)
        return ThreadStore(redis.Redis.from_url(target, retry=retry, **options), owned=True)


def _checked(url: str) -> str:
    """Check a URL, and return what may be shown of it: never the password."""
    try:
        from redis.asyncio.connection import parse_url  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "url_or_client", "a URL needs redis-py: pip install 'talkjs-async[redis]'"
        ) from error
    try:
        parts: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        rule = "a URL that begins with redis://, rediss:// or unix://, as redis-py reads it"
        raise ConfigurationError("url_or_client", rule) from error
    if "path" in parts:
        return f"unix:{parts['path']}"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}/{parts.get('db', 0)}"


def _translate(error: Exception) -> LimiterUnavailable:
    from redis import exceptions  # noqa: PLC0415 - an extra

    passing = (
        exceptions.OutOfMemoryError,
        exceptions.ClusterDownError,
        exceptions.MasterDownError,
        exceptions.TryAgainError,
    )
    final = (
        exceptions.AuthorizationError,
        exceptions.InvalidResponse,
        exceptions.ResponseError,
    )
    # What goes wrong while it connects, redis-py may wrap.
    for cause in (error, error.__cause__, error.__context__):
        if isinstance(cause, exceptions.AuthenticationError):
            return StoreRefused("the password is wrong or missing")
        if isinstance(cause, passing):
            break
        if isinstance(cause, final):
            return StoreRefused(str(cause))
    return StoreLost(str(error) or type(error).__name__)
