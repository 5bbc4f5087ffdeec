"""The bucket that all clients of one app in this process share."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.limits._registry import Registry
from talkjs_async.limits._rules import DOCUMENTED
from talkjs_async.limits._token_bucket import TokenBucket

_registry: Final[Registry[TokenBucket]] = Registry()


def shared_bucket(
    base_url: str,
    app_id: str,
    endpoint_class: Literal["ordinary", "batch"] = "ordinary",
    clock: Clock = SYSTEM_CLOCK,
) -> TokenBucket:
    """
    The process-wide bucket of an app.

    Args:
        base_url: Where the API is; a test server has its own budget.
        app_id: Whose budget it is.
        endpoint_class: "batch" for `POST /batch`, "ordinary" for everything else.
        clock: Buckets on different clocks have nothing in common.
    """
    rate, burst = DOCUMENTED[endpoint_class]
    return _registry.get(
        (base_url, app_id, endpoint_class), clock, partial(TokenBucket, rate, burst, clock=clock)
    )
