"""
Notices that a sequence goes round in a circle. Knows nothing of lists; `_core.walk` asks it.
"""

from __future__ import annotations

from collections.abc import Hashable


class CircleDetector:
    """Notices, in constant memory, that a sequence repeats itself (Brent's algorithm)."""

    __slots__ = ("_kept", "_power", "_steps")

    def __init__(self) -> None:
        self._kept: Hashable | None = None
        self._power = 1
        self._steps = 0

    def meets(self, step: Hashable) -> bool:
        """Take one step; whether it leads to where the sequence has been."""
        if step == self._kept:
            return True
        self._steps += 1
        if self._steps == self._power:
            self._kept, self._steps = step, 0
            self._power *= 2
        return False
