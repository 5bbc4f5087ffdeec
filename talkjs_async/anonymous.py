"""`AnonymousProjects`: the one part of the API that belongs to no app, and so to no client."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from talkjs_async._core.assembly import pipeline_of
from talkjs_async._core.base_url import base_url_of
from talkjs_async._core.clock import Clock, checked_clock
from talkjs_async._core.forwarder import Forwarder
from talkjs_async._core.options import (
    DEFAULT_ANSWER_BYTES,
    DEFAULT_ATTEMPT_TIMEOUT,
    DEFAULT_TIMEOUT,
)
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.limits import TokenBucket, anonymous_limiter
from talkjs_async.resources.anonymous import Anonymous
from talkjs_async.telemetry import Hook

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2

__all__ = ["AnonymousProjects"]


class AnonymousProjects(Anonymous):
    """
    Makes TalkJS apps without an account, for trying things out.

        async with AnonymousProjects() as anonymous:
            made = await anonymous.create()
            project = await anonymous.get(made.access_token)
        talkjs = AsyncTalkJS(project.app_id, project.secret_key)

    In such an app the REST API works, files are limited to 1 MB, and nothing that reaches outside
    (e-mail, SMS) is sent.

    Args:
        engine, base_url, retry, timeout, attempt_timeout, max_answer_bytes, max_wait,
            total_timeout, ssl_context, proxy, http_client, transport, clock, hooks: As for
            `AsyncTalkJS`.

    Raises:
        ConfigurationError: An argument breaks a rule.
    """

    def __init__(
        self,
        *,
        engine: Literal["httpx", "httpx2"] | None = None,
        base_url: str | None = None,
        retry: RetryPolicy | int = RetryPolicy(),  # noqa: B008 - frozen
        timeout: float | httpx.Timeout | httpx2.Timeout | None = DEFAULT_TIMEOUT,
        attempt_timeout: float | None = DEFAULT_ATTEMPT_TIMEOUT,
        max_answer_bytes: int = DEFAULT_ANSWER_BYTES,
        max_wait: float | None = None,
        total_timeout: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        base_url = base_url_of(base_url)
        clock = checked_clock(clock)
        pipeline = pipeline_of(
            root=f"{base_url}/v1",
            limiters={
                # No limit is documented for reading a project.
                "ordinary": TokenBucket(clock=clock),
                "anonymous": anonymous_limiter(base_url, clock),
            },
            clock=clock,
            engine=engine,
            retry=retry,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            max_answer_bytes=max_answer_bytes,
            max_wait=max_wait,
            total_timeout=total_timeout,
            ssl_context=ssl_context,
            proxy=proxy,
            http_client=http_client,
            transport=transport,
            hooks=hooks,
        )
        self._connections = pipeline.connections
        self._forwarder = Forwarder(pipeline.limiters, pipeline.hooks)
        super().__init__(pipeline.run)

    async def aclose(self) -> None:
        """Close the connections of this event loop. A given *http_client* stays open."""
        self._forwarder.stop()
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        self._forwarder.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return "<AnonymousProjects>"
