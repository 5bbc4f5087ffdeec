"""
A counted number of slots with a fair queue in front.

Unlike anyio's, it can be closed: calls that wait or come are refused. Belongs to one event loop.
"""

from __future__ import annotations

from collections import OrderedDict

import anyio

from talkjs_async.errors import ConfigurationError


class Semaphore:
    """A counted number of slots; the call that waits longest gets the next one."""

    __slots__ = ("_count", "_free", "_waiting", "closed")

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = count
        # Waiting calls, oldest first. A mapping: a cancelled one leaves from the middle.
        self._waiting: OrderedDict[_Turn, None] = OrderedDict()
        self.closed = False

    async def take(self) -> None:
        """Wait for a slot. Does not switch tasks when one is free."""
        if self.closed:
            raise _refusal()
        if self._free:
            self._free -= 1
            return
        turn = _Turn()
        self._waiting[turn] = None
        try:
            await turn.over.wait()
        except BaseException:
            if turn.granted:
                # Cancelled in the same moment: the next one gets the slot.
                self.give_back()
            else:
                self._waiting.pop(turn, None)
            raise
        if not turn.granted:
            raise _refusal()

    def give_back(self) -> None:
        """Free a slot: the call that waits longest has it."""
        if self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            turn.granted = True
            turn.over.set()
        else:
            self._free += 1

    @property
    def all_free(self) -> bool:
        """Whether no call has a slot."""
        return self._free == self._count

    def close(self) -> None:
        """Refuse the calls that wait or come."""
        self.closed = True
        while self._waiting:
            self._waiting.popitem(last=False)[0].over.set()


class _Turn:
    """One call's wait in the queue."""

    __slots__ = ("granted", "over")

    def __init__(self) -> None:
        self.over = anyio.Event()
        self.granted = False


def _refusal() -> ConfigurationError:
    return ConfigurationError(
        "client", "is closed: make a new one, or close it after its last call"
    )
