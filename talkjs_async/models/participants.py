"""Participants: who takes part in a conversation, and how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset, moment_or_none
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._field_types import FieldType, mismatch
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["Access", "Notify", "Participation"]

Access: TypeAlias = Literal["ReadWrite", "Read", "None"]
"""What a participant may do. The word "None" hides the conversation and keeps the participation."""

Notify: TypeAlias = Literal["MentionsOnly"] | bool
"""Whether a participant is notified: of all messages, of none, or of those that mention them."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class Participation:
    """
    How one user takes part in one conversation.

    Attributes:
        access: "ReadWrite", "Read" or "None"; other words are kept.
        notify: True, False or "MentionsOnly"; other words are kept.
        is_unread: Whether messages wait to be read. None when TalkJS does not say (older answers).
        joined_at_ms, read_until_ms: In Unix milliseconds. None when TalkJS does not say: only third
            parties and TalkJS's SDK name them.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, Conversations and Participation (documented).
    """

    access: Access | str = "ReadWrite"
    notify: Notify | str = True
    is_unread: bool | None = None
    joined_at_ms: int | None = None
    read_until_ms: int | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @property
    def joined_at(self) -> datetime | None:
        """When the user joined, in UTC."""
        return moment_or_none(self.joined_at_ms)

    @property
    def read_until(self) -> datetime | None:
        """The moment up to which the user has read, in UTC."""
        return moment_or_none(self.read_until_ms)

    @classmethod
    def from_wire(cls, data: Any) -> Participation:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _PARTICIPATION.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _PARTICIPATION.write(self)


def _read_notify(value: Any) -> bool | str:
    if isinstance(value, bool | str):
        return value
    raise mismatch("true, false or text", value)


NOTIFY: Final = FieldType(_read_notify, absent=True, fast="v if v.__class__ is bool else {read}(v)")

_PARTICIPATION = Schema(
    Participation,
    access=("access", attrs.evolve(field_type.TEXT, absent="ReadWrite")),
    notify=("notify", NOTIFY),
    is_unread=("isUnread", field_type.MAYBE_FLAG.if_any()),
    joined_at_ms=("joinedAt", field_type.MAYBE_MOMENT.if_any()),
    read_until_ms=("readUntil", field_type.MAYBE_MOMENT.if_any()),
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ParticipationInput:
    """
    What to write about a participation.

    A field that is not given becomes "ReadWrite" or True by `participants.put` and stays as it is
    by `participants.patch` (documented).

    Attributes:
        access: "ReadWrite", "Read" or "None". "None" is for `patch` only (documented).
        notify: True, False or "MentionsOnly".

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    access: Access | Unset = attrs.field(
        default=UNSET, validator=must_be.one_of(("ReadWrite", "Read", "None"))
    )
    notify: Notify | Unset = attrs.field(
        default=UNSET, validator=must_be.one_of((True, False, "MentionsOnly"))
    )

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset({"access": self.access, "notify": self.notify})


def read_email_address(data: Any) -> str:
    """
    Read `{"emailAddress": ...}`, the answer of `participants.get_email`.

    Raises:
        DecodeError: It is something else.
    """
    return field_type.text_at(data, "emailAddress")
