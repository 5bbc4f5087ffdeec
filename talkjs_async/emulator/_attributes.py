"""What an object of the emulator says when it is asked for an attribute that it has not."""

from typing import TYPE_CHECKING, Any

__all__ = ["ListsAttributes"]


class ListsAttributes:
    """Names its attributes, or the one that is meant, where Python would only say no."""

    # Its heirs may have slots.
    __slots__ = ()

    # Type checkers would take it for permission to ask for anything.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if hasattr(kind, name):
                # It is there, and asking for it failed: that is the error to see.
                return object.__getattribute__(self, name)
            # Python and libraries ask any object for names with an underscore, unfinished ones too.
            hint = "" if name.startswith("_") else f": {_hint(self, name)}"
            # Without `obj`, so that Python does not guess as well.
            raise AttributeError(f"{kind.__name__} has no {name!r}{hint}", name=name)


def _hint(owner: object, name: str) -> str:
    own = _public(owner)
    parts = getattr(owner, "__dict__", {})
    there = [
        f"{part}.{name}"
        for part in own
        if isinstance(parts.get(part), ListsAttributes) and name in _public(parts[part])
    ]
    return f"it is {' or '.join(there)}" if there else f"it has {', '.join(own)}"


def _public(owner: object) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]
