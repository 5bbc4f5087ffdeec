"""
Taking a refused request apart, so that one bad record does not sink the others.

TalkJS stores all records of a request or none. Knows nothing of what a record is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

from talkjs_async.errors import APIError

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Bisection(Generic[R]):
    """
    Stores what can be stored, in the order of the records.

    Attributes:
        send: Sends records with one request and notes that they are stored.
        refuse: Notes that one record is refused, and by which answer.
        is_refusal: Whether an answer is the fault of some record, and not of the app or the moment.
        named: Which of the records an answer names, with what it says of them.
    """

    send: Callable[[Sequence[R]], Awaitable[None]]
    refuse: Callable[[R, str], Awaitable[None]]
    is_refusal: Callable[[APIError], bool]
    named: Callable[[APIError, Sequence[R]], dict[int, str]]

    async def store(self, records: Sequence[R]) -> bool:
        """
        Send all of them, with as few requests as can be.

        When the answer names the bad ones, the others are sent at once. When it does not, halves
        are tried: a half whose sister was stored must hold a bad one, and is not sent whole.

        Returns:
            Whether one request was enough.

        Raises:
            TalkJSError: An answer that is no refusal.
        """
        refusal = await self._try(records)
        if refusal is not None:
            await self._apart(records, refusal)
        return refusal is None

    async def _apart(self, records: Sequence[R], refusal: APIError | None) -> None:
        """
        Store the good ones of *records*, which hold at least one bad one.

        Args:
            refusal: The answer to exactly these records. None: they were not sent on their own.
        """
        if len(records) == 1:
            refusal = refusal or await self._try(records)
            if refusal is not None:
                reasons = self.named(refusal, records)
                await self.refuse(records[0], reasons.get(0) or reason_of(refusal))
            return
        if refusal is not None:
            named = self.named(refusal, records)
            if named:
                for place, reason in named.items():
                    await self.refuse(records[place], reason)
                others = [record for place, record in enumerate(records) if place not in named]
                if others:
                    await self.store(others)
                return
        middle = len(records) // 2
        refusal = await self._try(records[:middle])
        if refusal is None:
            await self._apart(records[middle:], None)
        else:
            await self._apart(records[:middle], refusal)
            await self.store(records[middle:])

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
