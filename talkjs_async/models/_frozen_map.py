"""
A read-only mapping that is still a dict: as fast to read, ready for `json.dumps`, and picklable.

`types.MappingProxyType` can be neither pickled nor (before Python 3.12) hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class FrozenMap(dict[K, V]):
    """A mapping that never changes. Hashable when its values are."""

    __slots__ = ()

    def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError(
            "This mapping belongs to a frozen object: make a dict() of it to change it."
        )

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse

    # Type checkers would take it for permission to ask for anything.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            hint = f": it is a key, read as in [{name!r}]" if name in self else ""
            raise AttributeError(f"This mapping has no attribute {name!r}{hint}")

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        # The default fills an empty copy item by item, which is refused.
        return FrozenMap, (dict(self),)

    def __copy__(self) -> FrozenMap[K, V]:
        return self


EMPTY: Final[FrozenMap[str, Any]] = FrozenMap()
"""The one empty mapping that all objects share."""
