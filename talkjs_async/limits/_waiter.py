"""
One caller that waits, and how it is woken: from any thread, on asyncio and trio.

Knows event loops, nothing of tokens or queues. Called by `Queue`, with its lock held.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    import anyio

    from talkjs_async._core.call import Lane
    from talkjs_async._core.clock import Clock

WAITING: Final = 0
GRANTED: Final = 1
"""It has its token and is about to run."""
SERVED: Final = 2
"""It runs."""
LATE: Final = 3
"""Its *max_wait* is over."""
CLOSED: Final = 4
GONE: Final = 5
"""Cancelled, or its event loop has ended."""


class Waiter(ABC):
    """
    One caller in the queue.

    `await waiter` ends at a call of `wake`, from whichever thread; `state` says why. A wake
    with the state still WAITING means "look again": this waiter has become the one who watches the
    clock for all.

    There may be a hundred thousand, so it holds no more than it must.

    Attributes:
        lane: Where it stands.
        state: One of the constants above.
        grant: The number of its grant, once it is granted.
        has_timer: Whether `set_timer` works, so that this waiter need not be awake to watch. Such
            a loop runs its tasks in the order in which they are woken.
    """

    __slots__ = ("grant", "lane", "state")

    has_timer: ClassVar[bool] = False

    lane: Lane
    state: int
    grant: int

    @abstractmethod
    def __init__(self, lane: Lane) -> None:
        """Be in the event loop that runs."""

    @abstractmethod
    def __await__(self) -> Generator[Any, Any, None]:
        """Sleep until woken."""

    @abstractmethod
    def wake(self) -> bool:
        """Let the caller look at its state. False when its event loop has ended."""

    @abstractmethod
    def is_lost(self) -> bool:
        """Whether its event loop was closed without ending its tasks."""

    def set_timer(self, seconds: float, fire: Callable[[], None]) -> Timer | None:
        """
        Have *fire* called in this waiter's event loop after *seconds*.

        Returns:
            The timer. None when it is another thread's loop: then *fire* is called as soon as that
            loop gets to it.

        Raises:
            RuntimeError: The event loop has ended.
        """
        raise NotImplementedError

    def fire_soon(self, fire: Callable[[], None]) -> None:
        """Have *fire* called after all waiters that were woken before. With timer only."""
        raise NotImplementedError

    async def poll(self, clock: Clock, seconds: float) -> None:
        """Sleep for *seconds* of *clock*, or until woken. Without timer only."""
        raise NotImplementedError


class PollingWaiter(Waiter):
    """A waiter without timer: the leader of this kind has to sleep on the clock itself."""

    __slots__ = ("_scope",)

    _scope: anyio.CancelScope | None

    async def poll(self, clock: Clock, seconds: float) -> None:
        from anyio import CancelScope  # noqa: PLC0415 - loads asyncio

        with CancelScope() as scope:
            self._scope = scope
            try:
                await clock.sleep(seconds)
            finally:
                self._scope = None

    def _resume(self) -> None:
        # Runs in the waiter's own event loop, so nothing can happen between look and leap.
        if self._scope is not None:
            self._scope.cancel()
        else:
            self._unpark()

    @abstractmethod
    def _unpark(self) -> None:
        """End the `await` that is under way, if there is one."""


class Timer(ABC):
    """A timer of an event loop."""

    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Do not fire."""

    @abstractmethod
    def serves(self, waiter: Waiter) -> bool:
        """Tell whether it is still to fire, in the event loop of *waiter*."""
