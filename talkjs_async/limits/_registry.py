"""
What a whole process shares, found again by name.

Knows keys and clocks, nothing of what it keeps.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async.limits._forks import call_after_fork


class Kept(Protocol):
    """What can be kept: whatever is closed is replaced."""

    @property
    def closed(self) -> bool: ...


T = TypeVar("T", bound=Kept)

_STRANGE_CLOCKS: Final = 64
"""Things on other clocks that are kept while they are not in use."""

_Key = tuple[Hashable, int]
"""
With the identity of the clock. What is kept keeps its clock alive, so no other clock can have that
identity while it is in use.
"""


class Registry(Generic[T]):
    """
    One thing per key and clock.

    What is on the machine's clock is kept for good: the next one who asks must find it as the last
    one left it. Other clocks come and go with tests: of what is on them only the latest are kept,
    and those in use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[_Key, T] = {}
        self._recent: OrderedDict[_Key, T] = OrderedDict()
        self._used: weakref.WeakValueDictionary[_Key, T] = weakref.WeakValueDictionary()
        call_after_fork(self._forked)

    def get(self, name: Hashable, clock: Clock, make: Callable[[], T]) -> T:
        """Find what is kept under *name*, or keep what *make* makes."""
        key = name, id(clock)
        with self._lock:
            found = self._used.get(key)
            if found is None or found.closed:
                found = self._used[key] = make()
            if clock is SYSTEM_CLOCK:
                self._kept[key] = found
            else:
                self._recent[key] = found
                self._recent.move_to_end(key)
                if len(self._recent) > _STRANGE_CLOCKS:
                    self._recent.popitem(last=False)
            return found

    def all(self) -> list[T]:
        """Everything that is kept or in use."""
        with self._lock:
            return list(self._used.values())

    def _forked(self) -> None:
        """Forget that the lock was held: its holder may not exist in this process."""
        self._lock = threading.Lock()
