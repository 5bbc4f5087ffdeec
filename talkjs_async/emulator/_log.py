"""What the log of requests and the log of commits have in common."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar, overload

from talkjs_async.emulator._attributes import ListsAttributes

T = TypeVar("T")


class Log(ListsAttributes, Generic[T]):
    """Entries in order, the oldest forgotten first when there is a limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._entries: deque[T] = deque(maxlen=limit)
        self.total: int = 0
        """How many there have ever been, the forgotten ones included."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._entries))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return list(self._entries)[index] if isinstance(index, slice) else self._entries[index]

    def append(self, entry: T) -> None:
        """Add an entry."""
        self.total += 1
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.total = 0
