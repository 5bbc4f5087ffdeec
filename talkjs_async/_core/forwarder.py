"""
Passes what happens to the budgets of a client on to its hooks, for as long as there is the client.

Knows events and hooks, nothing of tokens.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence

import attrs

from talkjs_async._core.call import Bucket
from talkjs_async.telemetry import Hook, LimiterEvent, Listener, emit


class Forwarder:
    """
    Listens to limiters, and tells hooks.

    A limiter may be shared by the whole process and outlive all clients, so it knows its
    forwarders weakly: one that is not used any more, and what its hooks refer to, can go.

    Args:
        limiters: By bucket. Those without a method *listen* have nothing to tell.
        hooks: Who is told.
    """

    __slots__ = ("__weakref__", "_end", "_limiters", "hooks")

    def __init__(self, limiters: Mapping[Bucket, object], hooks: Sequence[Hook]) -> None:
        self._limiters = limiters
        self.hooks: Sequence[Hook] = hooks
        self._end: Callable[[], object] | None = None
        self.start()

    def start(self) -> None:
        """Listen, again if need be."""
        if not self.hooks or self._end is not None:
            return
        stops: list[Callable[[], object]] = []
        for bucket, limiter in self._limiters.items():
            listen = getattr(limiter, "listen", None)
            if listen is not None:
                stops.append(listen(_listener(weakref.ref(self), bucket)))
        self._end = weakref.finalize(self, _call_all, stops)

    def stop(self) -> None:
        """Listen no more."""
        if self._end is not None:
            end, self._end = self._end, None
            end()


def _listener(forwarder: weakref.ref[Forwarder], bucket: Bucket) -> Listener:
    def listener(event: LimiterEvent) -> None:
        alive = forwarder()
        if alive is not None:
            emit(alive.hooks, attrs.evolve(event, bucket=bucket))

    return listener


def _call_all(functions: Sequence[Callable[[], object]]) -> None:
    for function in functions:
        function()
