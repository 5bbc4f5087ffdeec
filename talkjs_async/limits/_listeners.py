"""The listeners that hear what happens to a budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from talkjs_async.telemetry import LimiterEvent, Listener, check_synchronous, emit


class Listeners:
    """
    The listeners of one limiter. Works from any thread.

    There is no lock: a garbage collection may end a listener's time while any lock is held. Each
    step here is one that the interpreter does not interrupt.
    """

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> Callable[[], object]:
        """
        Have *listener* called with every event; calling what is returned ends it.

        Raises:
            ConfigurationError: It is an `async def`.
        """
        check_synchronous("listener", listener)
        key = object()
        self._listeners[key] = listener
        return partial(self._listeners.pop, key, None)

    def tell(self, *events: LimiterEvent) -> None:
        """Call each listener. One that fails is logged and passed over."""
        for event in events:
            emit(list(self._listeners.values()), event)
