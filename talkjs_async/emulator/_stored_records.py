"""
What the emulator remembers: apps, users, conversations, participants, messages.

Plain records, no rules: those are in `routes/`.
"""

from typing import Any

import attrs

from talkjs_async.emulator._index import Index, Order
from talkjs_async.emulator.files import File
from talkjs_async.emulator.limits import AppBudget


@attrs.define(eq=False, kw_only=True)
class StoredUser:
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
class StoredParticipant:
    """A user's place in a conversation. Access `None` is a string here."""

    joined_at: int
    access: str = "ReadWrite"
    notify: bool | str = True
    read_until: Order | None = None
    """The order of the last message that was read; None: nothing was."""


@attrs.define(eq=False, kw_only=True)
class StoredMessage:
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
    """Users who had read it when it was imported. All others: `StoredParticipant.read_until`."""
    reactions: dict[str, dict[str, int]] | None = None
    """Emoji -> user ID -> when, in milliseconds. In order of first use."""


@attrs.define(eq=False, kw_only=True)
class StoredConversation:
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
    participants: dict[str, StoredParticipant] = attrs.field(factory=dict)
    left: dict[str, StoredParticipant] = attrs.field(factory=dict)
    """Users who left it by an API version that kept it in their list."""
    messages: Index[StoredMessage] = attrs.field(factory=Index[StoredMessage])
    message_by_id: dict[str, StoredMessage] = attrs.field(factory=dict)
    _alone: dict[str, tuple[Order | None, Order]] = attrs.field(factory=dict, init=False)
    """User ID -> between which places there is no message of another user."""

    def place_of(self, user_id: str) -> StoredParticipant:
        """Return the place of a user who is, or was, a participant."""
        return self.participants.get(user_id) or self.left[user_id]

    def is_unread_by(self, user_id: str, participant: StoredParticipant) -> bool:
        """Tell whether there is a message of another user that this participant has not seen."""
        read = participant.read_until
        start = read
        if user_id in self._alone:
            behind, until = self._alone[user_id]
            # Who reads less than then may have messages of others before that place again.
            if behind is None or (read is not None and read >= behind):
                start = until if read is None else max(read, until)
        if any(one.sender_id != user_id for one in self.messages.newer_than(start)):
            return True
        last = self.messages.last()
        if last is not None:
            # A sender who is not answered would have to be looked through again and again.
            self._alone[user_id] = (read, last.order)
        return False

    def add(self, message: StoredMessage) -> None:
        """Add a message."""
        if any(message.order < until for _, until in self._alone.values()):
            self._alone.clear()
        self.message_by_id[message.id] = message
        self.messages.add(message)


@attrs.define(eq=False, kw_only=True)
class StoredSession:
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
class StoredApp:
    """One TalkJS app: its keys, its data, its budget."""

    id: str
    secret_keys: list[str] = attrs.field(repr=False)
    budget: AppBudget
    users: dict[str, StoredUser] = attrs.field(factory=dict)
    users_in_order: Index[StoredUser] = attrs.field(factory=Index[StoredUser])
    conversations: dict[str, StoredConversation] = attrs.field(factory=dict)
    conversations_by_creation: Index[StoredConversation] = attrs.field(
        factory=Index[StoredConversation]
    )
    conversations_by_activity: Index[StoredConversation] = attrs.field(
        factory=lambda: Index[StoredConversation]("activity")
    )
    sessions: dict[str, list[StoredSession]] = attrs.field(factory=dict)
    """User ID -> where the user is online."""
    files: dict[str, File] = attrs.field(factory=dict)
    custom: dict[str, str] = attrs.field(factory=dict)
    default_locale: str | None = None
    themes: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    is_anonymous: bool = False
    idempotency: dict[tuple[str, str], tuple[str, float]] = attrs.field(factory=dict)
    """(scope, key) -> (message ID, Unix time in seconds), oldest first."""
