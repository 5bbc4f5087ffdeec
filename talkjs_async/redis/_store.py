"""
How a script gets to Redis and back, whichever client library and event loop there is.

Knows connections and their errors, nothing of tokens. Everything that can go wrong comes out as one
of two errors: `StoreLost` may pass by itself, `StoreRefused` is a mistake that has to be put right.
"""

from __future__ import annotations

import inspect
import math
import re
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import anyio
import anyio.to_thread

from talkjs_async.errors import ConfigurationError, LimiterUnavailable, shown
from talkjs_async.redis._script import Script

_CONNECT_TIME: Final = 1.5
"""Seconds for a connection and its TLS handshake: three round trips over an ocean, three times."""

_STEP_TIME: Final = 2.0
"""Seconds for each answer of Redis. The limiter gives up long before, once it is connected."""

_PASSING: Final = re.compile(
    r"(?:^|-)(?:READONLY|MISCONF|BUSY|NOREPLICAS|LOADING|OOM|MASTERDOWN|CLUSTERDOWN|TRYAGAIN"
    r"|UNBLOCKED|EXECABORT)\b|max number of clients|Script killed by user"
)
"""
What Redis answers in a state that passes: a replica after a failover, a disk that is full, a script
that takes long, replicas that are missing, data that is being read, memory. A code stands at the
beginning; Redis 6 puts one that a script met behind a hyphen. redis-py takes some codes off.
"""

_TLS_MISTAKE: Final = re.compile(r"VERSION|CERT|HANDSHAKE|UNKNOWN_CA|KEY_|PEM")
"""What OpenSSL says of a version, a certificate or a key that one of the two sides cannot use."""


class StoreLost(LimiterUnavailable):
    """Redis cannot be reached, does not answer in time, or is in a state that passes."""


class StoreRefused(LimiterUnavailable):
    """Redis answers, but will never do it: password, permissions, certificate, a foreign key."""


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


class ClientStore:
    """
    A client of redis-py, asyncio or blocking; the blocking one in a worker thread.

    Args:
        client: A client of yours, which is never closed; or what makes one, given whether the node
            turned out to belong to a Cluster.
        stuck_for: Seconds that a thread may wait before another one asks, times those that do.
    """

    def __init__(self, client: Any, *, stuck_for: float = 10.0) -> None:
        self._stuck_for = stuck_for
        self._make: Callable[[bool], Any] | None = None
        self._client: Any = None
        if hasattr(client, "evalsha"):
            self._client = client
        else:
            self._make = client
        self._in_cluster = False
        # Questions that threads wait for, and when the latest one was asked.
        self._stuck: set[object] = set()
        self._asked_at = -math.inf
        self._more_threads = anyio.CapacityLimiter(math.inf)

    async def run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        from redis.exceptions import AskError  # noqa: PLC0415 - an extra

        try:
            try:
                return await self._run(script, keys, argument)
            except AskError:
                # As is `MovedError`: a node of a Cluster names another one.
                if self._make is None or self._in_cluster:
                    raise
            await self.drop()
            self._in_cluster = True
            return await self._run(script, keys, argument)
        except LimiterUnavailable:
            raise
        except Exception as error:
            raise _translate(error) from error

    async def _run(self, script: Script, keys: Sequence[str], argument: str) -> str | bytes:
        if time.monotonic() < self._asked_at + len(self._stuck) * self._stuck_for:
            # A client of yours may have no time limit. One thread that is stuck is enough, and one
            # more now and then, with a connection of its own: the answer may never come.
            raise StoreLost("it has not answered the question before")
        if self._client is None and self._make is not None:
            self._client = self._make(self._in_cluster)
        client: Any = self._client
        if not inspect.iscoroutinefunction(client.execute_command):
            self._asked_at = time.monotonic()
            self._stuck.add(question := object())
            ask = partial(self._run_in_thread, question, client, script, keys, argument)
            # Questions are few, and need not wait until a thread of the app is free.
            threads = anyio.to_thread.current_default_thread_limiter()
            if threads.available_tokens < 1:
                threads = self._more_threads
            return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=threads)
        from redis.exceptions import NoScriptError  # noqa: PLC0415 - an extra

        try:
            answer: str | bytes = await client.evalsha(script.sha, len(keys), *keys, argument)
        except NoScriptError:
            answer = await client.eval(script.code, len(keys), *keys, argument)
        return answer

    def _run_in_thread(
        self, question: object, client: Any, script: Script, keys: Sequence[str], argument: str
    ) -> str | bytes:
        from redis.exceptions import NoScriptError  # noqa: PLC0415 - an extra

        try:
            try:
                answer: str | bytes = client.evalsha(script.sha, len(keys), *keys, argument)
            except NoScriptError:
                answer = client.eval(script.code, len(keys), *keys, argument)
            return answer
        finally:
            self._stuck.discard(question)
            if client is not self._client:
                # It was dropped meanwhile, perhaps before it was connected.
                client.close()

    async def drop(self) -> None:
        """
        Drop the connections: what is asked next goes to the server that the address means by then.

        Of a client of yours, those that are not in use.
        """
        client = self._client
        if client is None:
            return
        with anyio.move_on_after(1, shield=True):
            try:
                if self._make is not None:
                    self._client = None
                    self._stuck.clear()
                    closed = client.aclose() if hasattr(client, "aclose") else client.close()
                else:
                    pool = getattr(client, "connection_pool", None)
                    closed = None if pool is None else pool.disconnect(inuse_connections=False)
                if inspect.isawaitable(closed):
                    await closed
            except Exception:  # noqa: BLE001 - what is broken need not be closed in order
                return

    async def aclose(self) -> None:
        if self._make is not None:
            await self.drop()


class StoreOpener:
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
                "url_or_client", f"a URL, a client of redis-py or a Store, not {shown(target)}"
            )

    def open(self, *, on_asyncio: bool) -> Store:
        """Make a store for the event loop that runs. It belongs to this loop alone."""
        target: Any = self._target
        if isinstance(target, str):
            return ClientStore(partial(self._make, on_asyncio))
        return target if isinstance(target, Store) else ClientStore(target)

    def _make(self, on_asyncio: bool, in_cluster: bool) -> Any:
        import redis.asyncio.retry  # noqa: PLC0415 - an extra
        import redis.backoff  # noqa: PLC0415
        import redis.retry  # noqa: PLC0415

        library: Any = redis.asyncio if on_asyncio else redis
        client = library.RedisCluster if in_cluster else library.Redis
        retry = library.retry.Retry(redis.backoff.NoBackoff(), 0)
        return client.from_url(self._target, retry=retry, **_TIMES)


# A retry inside the client would wait for seconds while callers could be served without.
_TIMES: Final = {"socket_timeout": _STEP_TIME, "socket_connect_timeout": _CONNECT_TIME}


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
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        # Later, it could not be told from the socket of a Redis that is down.
        if (path := parts.get(name)) and not Path(path).is_file():
            raise ConfigurationError("url_or_client", f"{name}: there is no file {shown(path)}")
    if "path" in parts:
        return f"unix:{parts['path']}"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}/{parts.get('db', 0)}"


def _translate(error: Exception) -> LimiterUnavailable:
    from redis import exceptions  # noqa: PLC0415 - an extra

    # What goes wrong while it connects, redis-py may wrap.
    causes = [error, error.__cause__, error.__context__]
    causes += [each.__cause__ or each.__context__ for each in causes[1:] if each is not None]
    passing = (
        exceptions.ReadOnlyError,
        exceptions.BusyLoadingError,
        exceptions.OutOfMemoryError,
        exceptions.ClusterDownError,
        exceptions.TryAgainError,
        exceptions.ExecAbortError,
    )
    for cause in causes:
        if isinstance(cause, passing) or _PASSING.search(str(cause)):
            return StoreLost(str(cause))
        mistake = _mistake(cause)
        if mistake is not None:
            return StoreRefused(mistake)
    return StoreLost(str(error) or type(error).__name__)


def _mistake(cause: BaseException | None) -> str | None:
    """Say what has to be put right. None when *cause* may pass by itself."""
    from redis import exceptions  # noqa: PLC0415 - an extra

    said = None
    match cause:
        case exceptions.AuthenticationError():
            said = "the password is wrong or missing"
        case exceptions.AskError():
            rule = "redis.asyncio.RedisCluster.from_url(...) or redis.RedisCluster.from_url(...)"
            said = f"it is one node of a Redis Cluster: pass {rule}"
        case ssl.SSLCertVerificationError():
            way_out = "for an authority of your own, add ?ssl_ca_certs=FILE to the URL"
            said = f"its certificate is not trusted ({cause.verify_message}): {way_out}"
        case ssl.SSLError() if "WRONG_VERSION" in str(cause):
            said = "it does not speak TLS: use redis:// instead of rediss://"
        case ssl.SSLError() if _TLS_MISTAKE.search(str(cause)):
            said = str(cause)
        case PermissionError():
            said = "this user may not connect to it"
        case exceptions.NoScriptError():
            pass
        case exceptions.ResponseError() if "unknown command" in str(cause):
            said = "it knows no scripts. For a Sentinel, pass Sentinel([...]).master_for(NAME)"
        case exceptions.InvalidResponse() | exceptions.ResponseError():
            said = str(cause)
    return said
