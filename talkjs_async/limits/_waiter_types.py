"""The type of waiter for the event loop that runs, loaded when a caller first waits there."""

from __future__ import annotations

from functools import cache

from talkjs_async._core.tasks import in_trio
from talkjs_async.limits._waiter import Waiter


def waiter_type_here(*, system_clock: bool) -> type[Waiter]:
    """
    The kind of waiter for the event loop that runs.

    Args:
        system_clock: Whether the event loop's own timers tell the limiter's time.
    """
    if in_trio():
        return _trio_type()
    return _asyncio_types()[system_clock]


@cache
def _trio_type() -> type[Waiter]:
    from talkjs_async.limits._waiter_trio import TrioWaiter  # noqa: PLC0415

    return TrioWaiter


@cache
def _asyncio_types() -> tuple[type[Waiter], type[Waiter]]:
    from talkjs_async.limits._waiter_asyncio import (  # noqa: PLC0415
        AsyncioWaiter,
        TimerWaiter,
    )

    return AsyncioWaiter, TimerWaiter
