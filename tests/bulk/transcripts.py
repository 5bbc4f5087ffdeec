"""What conversations hold when all is well."""

from __future__ import annotations


def in_order(count: int, conversations: int) -> dict[str, list[str]]:
    """The texts "0", "1", "2" and so on, dealt out to so many conversations in turn."""
    return {
        f"c{first}": [str(number) for number in range(first, count, conversations)]
        for first in range(conversations)
    }
