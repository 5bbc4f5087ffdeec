"""Files that have to be unpacked before they can be read."""

from __future__ import annotations

from typing import Final

PACKED: Final = frozenset(
    {".7z", ".br", ".bz2", ".gz", ".lz4", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"}
)
"""How their names end."""
