"""
What the emulator remembers: apps, users, conversations, participants, messages.

Plain records and ordered indexes, no rules: those are in `routes/`.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs

from talkjs_async.emulator.files import File
from talkjs_async.emulator.limits import Budget

T = TypeVar("T")

# A moment in milliseconds, and what decides between records of the same one: an ID (usually
# empty, see the switch `order_ties`), then the order of arrival.
Order = tuple[int, str, int]


@attrs.define(eq=False, kw_only=True)
class User:
    """A user. None means never set, or cleared."""

    id: str
    created_at: int
    order: Order
    name: str = ""
    email: list[str] | None = None
    phone: list[str] | None = None
    welcome_message: str | None = None
    photo_url: str | None = None
    locale: str | None = None
    role: str | None = None
    availability_text: str | None = None
    custom: dict[str, str] = attrs.field(factory=dict)
    push_tokens: dict[str, bool] | None = None
    conversation_ids: set[str] = attrs.field(factory=set)


@attrs.define(eq=False, kw_only=True)
class Participant:
    """A user's place in a conversation. Access `None` is a string here."""

    joined_at: int
    access: str = "ReadWrite"
    notify: bool | str = True
    read_until: Order | None = None
    """The order of the last message that was read; None: nothing was."""


@attrs.define(eq=False, kw_only=True)
class Message:
    """A message. `order` places it in its conversation."""

    id: str
    conversation_id: str
    type: str
    sender_id: str | None
    text: str | None
    created_at: int
    order: Order
    origin: str = "rest"
    edited_at: int | None = None
    nodes: list[Any] | None = None
    """The text nodes, when the text was sent as nodes."""
    file: File | None = None
    location: tuple[float, float] | None = None
    referenced_message_id: str | None = None
    custom: dict[str, str] | None = None
    read_by: tuple[str, ...] = ()
    """Who had read it when it was imported. Everybody else: see `Participant.read_until`."""
    reactions: dict[str, dict[str, int]] | None = None
    """Emoji -> user ID -> when, in milliseconds. In order of first use."""


class Index(Generic[T]):
    """Records kept in order, so that a page costs the same wherever it starts."""

    def __init__(self, order: str = "order") -> None:
        """Keep records by the attribute *order*."""
        self._key = attrgetter(order)
        self._rows: list[T] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: T) -> None:
        """Put a record in its place. Nearly always that is the end."""
        rows = self._rows
        if rows and self._key(row) < self._key(rows[-1]):
            insort(rows, row, key=self._key)
        else:
            rows.append(row)

    def remove(self, row: T) -> None:
        """Take a record out. Do it before its order changes."""
        del self._rows[self._position(row)]

    def last(self) -> T | None:
        """Return the newest record."""
        return self._rows[-1] if self._rows else None

    def walk(
        self, *, descending: bool, after: T | None = None, bound: int | None = None
    ) -> Iterator[T]:
        """
        Go through the records.

        Args:
            descending: Newest first.
            after: Start behind this record.
            bound: Start behind this moment in milliseconds.
        """
        rows = self._rows
        if descending:
            start = len(rows) if after is None else self._position(after)
            if bound is not None:
                start = min(start, bisect_left(rows, bound, key=self._moment))
            return (rows[position] for position in range(start - 1, -1, -1))
        start = 0 if after is None else bisect_right(rows, self._key(after), key=self._key)
        if bound is not None:
            start = max(start, bisect_right(rows, bound, key=self._moment))
        return (rows[position] for position in range(start, len(rows)))

    def newer_than(self, order: Order | None) -> Iterator[T]:
        """Go through the records behind that place, newest first. None: all of them."""
        rows = self._rows
        start = 0 if order is None else bisect_right(rows, order, key=self._key)
        return (rows[position] for position in range(len(rows) - 1, start - 1, -1))

    def _moment(self, row: T) -> int:
        moment: int = self._key(row)[0]
        return moment

    def _position(self, row: T) -> int:
        return bisect_left(self._rows, self._key(row), key=self._key)


@attrs.define(eq=False, kw_only=True)
class Conversation:
    """A conversation with its participants and messages."""

    id: str
    created_at: int
    order: Order
    activity: Order
    """Order by last activity: the last message, or the creation."""
    subject: str | None = None
    photo_url: str | None = None
    welcome_messages: list[str] | None = None
    custom: dict[str, str] = attrs.field(factory=dict)
    participants: dict[str, Participant] = attrs.field(factory=dict)
    left: dict[str, Participant] = attrs.field(factory=dict)
    """Users who left it by an API version that kept it in their list."""
    messages: Index[Message] = attrs.field(factory=Index[Message])
    message_by_id: dict[str, Message] = attrs.field(factory=dict)

    def place_of(self, user_id: str) -> Participant:
        """Return the place of somebody who is, or was, a participant."""
        return self.participants.get(user_id) or self.left[user_id]

    def is_unread_by(self, user_id: str, participant: Participant) -> bool:
        """Tell whether there is a message of somebody else that this participant has not seen."""
        return any(
            message.sender_id != user_id
            for message in self.messages.newer_than(participant.read_until)
        )


@attrs.define(eq=False, kw_only=True)
class Session:
    """A place where a user is online: a browser tab or an app."""

    id: str
    visible: bool
    """Whether it shows any TalkJS user interface."""
    selected_conversation_id: str | None = None
    has_focus: bool = False
    typing_until: float = 0.0
    """Unix time in seconds."""
    custom: dict[str, str] = attrs.field(factory=dict)


@attrs.define(eq=False, kw_only=True)
class App:
    """One TalkJS app: its keys, its data, its budget."""

    id: str
    secret_keys: list[str] = attrs.field(repr=False)
    budget: Budget
    users: dict[str, User] = attrs.field(factory=dict)
    users_in_order: Index[User] = attrs.field(factory=Index[User])
    conversations: dict[str, Conversation] = attrs.field(factory=dict)
    conversations_by_creation: Index[Conversation] = attrs.field(factory=Index[Conversation])
    conversations_by_activity: Index[Conversation] = attrs.field(
        factory=lambda: Index[Conversation]("activity")
    )
    sessions: dict[str, list[Session]] = attrs.field(factory=dict)
    """User ID -> where the user is online."""
    files: dict[str, File] = attrs.field(factory=dict)
    custom: dict[str, str] = attrs.field(factory=dict)
    default_locale: str | None = None
    themes: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    is_anonymous: bool = False
    idempotency: dict[tuple[str, str], tuple[str, float]] = attrs.field(factory=dict)
    """(scope, key) -> (message ID, Unix time in seconds), oldest first."""
