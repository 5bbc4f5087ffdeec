"""
What was done: one entry per change of state, whatever became of the answer.

It is the witness that decides whether something was lost or done twice, and never holds a token or
a secret. What was asked is in the request log.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._log import Log

__all__ = ["COMMIT_KINDS", "Commit", "CommitLog"]

COMMIT_KINDS = (
    "app.created",
    "app.updated",
    "conversation.created",
    "conversation.deleted",
    "conversation.read",
    "conversation.updated",
    "file.uploaded",
    "message.deleted",
    "message.imported",
    "message.sent",
    "message.updated",
    "notification.triggered",
    "participant.joined",
    "participant.left",
    "participant.updated",
    "reaction.added",
    "reaction.removed",
    "themes.updated",
    "user.created",
    "user.updated",
)
"""Everything that can happen."""


@attrs.define(eq=False, kw_only=True)
class Commit(ListsAttributes):
    """
    One change of state.

    Attributes:
        number: Position among all changes, from 1.
        at: Unix time in seconds.
        kind: What happened to what, one of `COMMIT_KINDS`, such as `participant.left`.
        app_id: The app whose state changed.
        user_id, conversation_id, message_id: What it happened to, where that has an ID.
        text: Of a message.
        idempotency_key: Of a message that was sent with one.
        detail: Anything else that tells two changes of a kind apart.
    """

    number: int
    at: float
    kind: str
    app_id: str
    user_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    text: str | None = None
    idempotency_key: str | None = None
    detail: Mapping[str, Any] | None = None


class CommitLog(Log[Commit]):
    """Every change of state, in order."""

    on_record: Callable[[Commit], object] | None = None
    """Called with each of them."""

    def record(self, kind: str, **what: Any) -> None:
        """Add a change of state."""
        commit = Commit(number=self.total + 1, kind=_known(kind), **what)
        self.append(commit)
        if self.on_record is not None:
            self.on_record(commit)

    def of(self, kind: str) -> list[Commit]:
        """
        Return the changes of one kind, such as `message.sent`.

        Raises:
            ValueError: There is no such kind.
        """
        kind = _known(kind)
        return [entry for entry in self if entry.kind == kind]


def _known(kind: str) -> str:
    if kind not in COMMIT_KINDS:
        there_are = ", ".join(COMMIT_KINDS)
        raise ValueError(f"There is no kind of commit {kind!r}; there are: {there_are}.")
    return kind
