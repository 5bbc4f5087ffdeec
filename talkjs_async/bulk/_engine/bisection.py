"""
Bisection of a refused request, so that one bad record does not sink the others.

TalkJS stores all records of a request or none. Knows nothing of what a record is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

from talkjs_async.errors import APIError

R = TypeVar("R")


@attrs.frozen
class _Part(Generic[R]):
    """
    Records that are left.

    Attributes:
        refusal: The answer to exactly these. None: they were not sent on their own.
        holds_bad: Whether one of them is bad for certain.
    """

    records: Sequence[R]
    refusal: APIError | None = None
    holds_bad: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen(kw_only=True)
class Bisection(Generic[R]):
    """
    Stores what can be stored, in the order of the records.

    Attributes:
        send: Sends records with one request and notes that they are stored.
        refuse: Notes that one record is refused, and by which answer.
        is_refusal: Whether some record is the cause of an answer, not the app or the moment.
        named: The indexes of the records that an answer names, with what it says of each.
        most: How many records TalkJS takes together, once a job has learned that. None until then.
        alone: Whether to try one record alone after a refusal, before any half.
    """

    send: Callable[[Sequence[R]], Awaitable[None]]
    refuse: Callable[[R, str], Awaitable[None]]
    is_refusal: Callable[[APIError], bool]
    named: Callable[[APIError, Sequence[R]], dict[int, str]]
    most: Callable[[], int | None] = lambda: None
    alone: Callable[[], bool] = lambda: False

    async def store(self, records: Sequence[R]) -> bool:
        """
        Send all of them, with as few requests as can be.

        When the answer names the bad ones, the others are sent at once. When it does not, halves
        are tried: if the first half was stored, the second must hold a bad one and is not sent
        whole. When *most* changes on the way, the rest goes in requests of that size.

        Returns:
            Whether one request was enough.

        Raises:
            TalkJSError: An answer that is no refusal.
        """
        known = self.most()
        refusal = await self._try(records)
        if refusal is None:
            return True
        left = [_Part(records, refusal, holds_bad=True)]
        while left:
            part = left.pop()
            if part.refusal is None and not (part.holds_bad and len(part.records) > 1):
                refusal = await self._try(part.records)
                part = _Part(part.records, refusal, holds_bad=refusal is not None)
            if part.holds_bad:
                left += await self._split(part.records, part.refusal)
            most = self.most()
            if most is not None and most != known:
                known = most
                rest = [record for part in reversed(left) for record in part.records]
                starts = range(0, len(rest), most)
                left = [_Part(rest[at : at + most]) for at in reversed(starts)]
        return False

    async def _split(self, records: Sequence[R], refusal: APIError | None) -> list[_Part[R]]:
        """Refuse or halve records that hold a bad one; return what is left, in reverse order."""
        if refusal is not None:
            named = self.named(refusal, records)
            if len(records) == 1:
                await self.refuse(records[0], named.get(0) or reason_of(refusal))
                return []
            if named:
                for place, reason in named.items():
                    await self.refuse(records[place], reason)
                others = [record for place, record in enumerate(records) if place not in named]
                return [_Part(others)] if others else []
        middle = 1 if self.alone() else len(records) // 2
        first, second = records[:middle], records[middle:]
        refusal = await self._try(first)
        if refusal is None:
            return [_Part(second, holds_bad=True)]
        return [_Part(second), _Part(first, refusal, holds_bad=True)]

    async def _try(self, records: Sequence[R]) -> APIError | None:
        try:
            await self.send(records)
        except APIError as error:
            if not self.is_refusal(error):
                raise
            return error
        return None


def reason_of(error: APIError) -> str:
    """Say in a few words why TalkJS refused."""
    why = "; ".join(error.reasons) or error.code or "no reason given"
    return f"refused with {error.status}: {why}"
