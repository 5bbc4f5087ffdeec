"""
Puts a pipeline together from the options that all clients have, after checking each of them.

The one place where such an option is checked and used: what one client takes, the others take too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from talkjs_async._core.call import Bucket, Lane
from talkjs_async._core.clock import Clock
from talkjs_async._core.options import (
    HEADERS,
    SLOTS,
    checked_answer_bytes,
    checked_attempt_timeout,
    checked_budgets,
    checked_hooks,
    checked_lane,
    checked_proxy,
    checked_retry,
    checked_ssl_context,
    checked_total,
    checked_version,
    checked_wait,
    timeouts,
)
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryPolicy
from talkjs_async._http.connections import connections_for
from talkjs_async._http.engine import replaces_network
from talkjs_async._http.watch import Terms
from talkjs_async.auth import Auth
from talkjs_async.limits import SHARED_BUDGETS, Budgets, Limiter, ProcessBudgets
from talkjs_async.telemetry import Hook

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2


def budgets_of(given: Budgets | None, transport: object | None) -> Budgets:
    """
    Choose where the budgets of a client are kept.

    Args:
        given: The option *budgets*.
        transport: The option *transport*. If it replaces the network, TalkJS is not behind it, and
            the budgets of this process do not count.
    """
    chosen = checked_budgets(given)
    if chosen is not None:
        return chosen
    return ProcessBudgets() if replaces_network(transport) else SHARED_BUDGETS


def pipeline_of(
    *,
    root: str,
    limiters: dict[Bucket, Limiter],
    clock: Clock,
    engine: str | None,
    retry: RetryPolicy | int,
    timeout: float | httpx.Timeout | httpx2.Timeout | None,
    attempt_timeout: float | None,
    max_answer_bytes: int,
    max_wait: float | None,
    total_timeout: float | None,
    ssl_context: ssl.SSLContext | None,
    proxy: str | None,
    http_client: httpx.AsyncClient | httpx2.AsyncClient | None,
    transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None,
    hooks: Sequence[Hook],
    auth: Auth | None = None,
    api_version: str | None = None,
    lane: Lane = "interactive",
) -> Pipeline:
    """
    Build the pipeline of a client.

    Args:
        root: Of all its calls; decides whether TLS is spoken.
        limiters: The budget of each bucket.

    The others are the options of `AsyncTalkJS`.

    Raises:
        ConfigurationError: An option breaks its rule.
    """
    return Pipeline(
        root=root,
        headers=HEADERS,
        auth=auth,
        api_version=checked_version(api_version),
        limiters=limiters,
        connections=connections_for(
            engine,
            tls=root.startswith("https:"),
            size=SLOTS,
            http_client=http_client,
            transport=transport,
            ssl_context=checked_ssl_context(ssl_context),
            proxy=checked_proxy(proxy),
        ),
        clock=clock,
        retry=checked_retry(retry),
        timeout=timeouts(timeout),
        terms=Terms(
            checked_attempt_timeout(attempt_timeout), checked_answer_bytes(max_answer_bytes)
        ),
        lane=checked_lane(lane),
        max_wait=checked_wait(max_wait),
        total_timeout=checked_total(total_timeout),
        hooks=checked_hooks(hooks),
    )
