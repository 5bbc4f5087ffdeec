"""What an emulator knew at one moment, so that it can know it again."""

import pickle
from typing import TYPE_CHECKING, Any

import attrs

from talkjs_async.emulator._attributes import ListsAttributes

if TYPE_CHECKING:
    from talkjs_async.emulator._stored_records import StoredApp

__all__ = ["Snapshot"]


@attrs.frozen
class Snapshot(ListsAttributes):
    """All data of an emulator: apps with their budgets, and where IDs and chances stand."""

    _state: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, apps: "dict[str, StoredApp]", *others: Any) -> "Snapshot":
        """Copy a state. Pickle is the fastest way to copy, and never leaves this process."""
        return cls(pickle.dumps((apps, *others), pickle.HIGHEST_PROTOCOL))

    def copy(self) -> Any:
        """Return a copy of what it was made of."""
        return pickle.loads(self._state)  # noqa: S301  # our own, of this process
