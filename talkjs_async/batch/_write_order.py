"""Keeps writes to one user or conversation in order, while some leave alone and some in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import anyio


class WriteOrder:
    """
    The users and conversations that calls under way write to.

    No batch takes a write while an earlier one is under way. A write that gets its own token while
    a batch carries an earlier one waits for the answer to that batch.

    A subject is a user or conversation. It is None for calls that need no order.
    """

    __slots__ = ("_alone", "_turns")

    def __init__(self) -> None:
        self._alone: Counter[str] = Counter()
        self._turns: dict[str, anyio.Semaphore] = {}

    def is_busy(self, subject: str) -> bool:
        """Whether a write to *subject* is under way."""
        return subject in self._turns or subject in self._alone

    def begin_alone(self, subject: str | None) -> anyio.Semaphore | None:
        """
        Note that a call leaves with its own permit; `end_alone` must follow.

        Returns:
            A semaphore to acquire and release before the call leaves: it opens when the batch with
            an earlier write is answered. None: no such batch is under way.
        """
        if subject is None:
            return None
        self._alone[subject] += 1
        return self._turns.get(subject)

    def end_alone(self, subject: str | None) -> None:
        """Note that a call that left alone has ended."""
        if subject is not None:
            self._alone[subject] -= 1
            self._alone += Counter()  # without those at zero
            self._forget(subject)

    def begin_batch(self, subjects: Iterable[str | None]) -> None:
        """Note that a batch takes one write to each of *subjects*; `end_batch` must follow."""
        for subject in subjects:
            if subject is not None:
                self._turns[subject] = anyio.Semaphore(0)

    def end_batch(self, subjects: Iterable[str | None]) -> None:
        """Let the writes go that wait for the answer to a batch."""
        for subject in subjects:
            if subject is not None:
                self._turns[subject].release()
                self._forget(subject)

    def _forget(self, subject: str) -> None:
        """Drop the semaphore of *subject* when neither a batch nor a lone call writes to it."""
        turn = self._turns.get(subject)
        if turn is not None and turn.value and subject not in self._alone:
            del self._turns[subject]
