"""`AnonymousProjects`: the one part of the API that belongs to no app, and so to no client."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from talkjs_async._core.base_url import base_url_of
from talkjs_async._core.clock import Clock, checked_clock
from talkjs_async._core.forwarder import Forwarder
from talkjs_async._core.options import (
    DEFAULT_ANSWER_BYTES,
    DEFAULT_ATTEMPT_TIMEOUT,
    DEFAULT_TIMEOUT,
    HEADERS,
    SLOTS,
    checked_hooks,
    checked_retry,
    checked_total,
    checked_wait,
    timeouts,
)
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryPolicy
from talkjs_async._http.connections import connections_for
from talkjs_async._http.watch import Terms
from talkjs_async.limits import TokenBucket, anonymous_limiter
from talkjs_async.resources.anonymous import Anonymous
from talkjs_async.telemetry import Hook

if TYPE_CHECKING:
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
        engine, base_url, retry, timeout, max_wait, total_timeout, http_client, transport, clock,
            hooks: As for `AsyncTalkJS`.

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
        max_wait: float | None = None,
        total_timeout: float | None = None,
        http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        base_url = base_url_of(base_url)
        clock = checked_clock(clock)
        self._connections = connections_for(
            engine,
            tls=base_url.startswith("https:"),
            size=SLOTS,
            http_client=http_client,
            transport=transport,
        )
        pipeline = Pipeline(
            root=f"{base_url}/v1",
            headers=HEADERS,
            auth=None,
            api_version=None,
            limiters={
                # No limit is documented for reading a project.
                "ordinary": TokenBucket(clock=clock),
                "anonymous": anonymous_limiter(base_url, clock),
            },
            connections=self._connections,
            clock=clock,
            retry=checked_retry(retry),
            timeout=timeouts(timeout),
            terms=Terms(DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_ANSWER_BYTES),
            lane="interactive",
            max_wait=checked_wait(max_wait),
            total_timeout=checked_total(total_timeout),
            hooks=checked_hooks(hooks),
        )
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
