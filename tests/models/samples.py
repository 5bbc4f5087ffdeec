"""Hypothesis strategies: arbitrary JSON, and every model that is read from the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from talkjs_async.errors import DecodeError
from talkjs_async.models.anonymous import AnonymousProject
from talkjs_async.models.app import App
from talkjs_async.models.conversations import Conversation, UserConversation
from talkjs_async.models.messages import Attachment, Location, Message, SendReceipt
from talkjs_async.models.participants import Participation
from talkjs_async.models.presences import Presence, PresenceSession, UserSession
from talkjs_async.models.reactions import Reaction
from talkjs_async.models.themes import Theme
from talkjs_async.models.users import User

TEXT = st.text(max_size=8)
MOMENT = st.integers(min_value=-(10**16), max_value=10**16)
TEXT_MAP = st.dictionaries(TEXT, TEXT, max_size=3)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def objects(
    needed: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects with all needed keys, some or no optional ones (or null), and unknown ones."""
    may_be_null = {key: values | st.none() for key, values in optional.items()}
    known = st.fixed_dictionaries(needed, optional=may_be_null)
    unknown = st.dictionaries(TEXT.map("new_{}".format), JSON, max_size=2)
    return st.builds(lambda extra, data: extra | data, unknown, known)


MANGLED = JSON | st.dictionaries(
    st.sampled_from(
        [
            "id",
            "name",
            "type",
            "createdAt",
            "custom",
            "participants",
            "lastMessage",
            "content",
            "conversationId",
            "reactions",
            "readBy",
            "location",
            "attachment",
            "data",
            "emoji",
            "children",
            "url",
        ]
    ),
    JSON,
)
"""JSON that is likely to use our keys, wrongly."""

PARTICIPATION = objects(
    {},
    {
        "access": st.sampled_from(["ReadWrite", "Read", "None", "New"]),
        "notify": st.booleans() | st.sampled_from(["MentionsOnly", "New"]),
        "isUnread": st.booleans(),
        "joinedAt": MOMENT,
        "readUntil": MOMENT,
    },
)

REACTION = objects({}, {"count": st.integers(0, 9), "userIds": st.lists(TEXT, max_size=2)})

MESSAGE = objects(
    {
        "id": TEXT,
        "conversationId": TEXT,
        "type": st.sampled_from(["UserMessage", "SystemMessage", "New"]),
        "createdAt": MOMENT,
    },
    {
        "senderId": TEXT,
        "text": TEXT,
        "attachment": objects({"url": TEXT}, {"size": st.integers(0)}),
        "location": st.lists(st.floats(-90, 90), min_size=2, max_size=2),
        "content": st.lists(JSON, max_size=2),
        "readBy": st.lists(TEXT, max_size=3),
        "origin": st.sampled_from(["web", "rest", "email", "import", "new"]),
        "referencedMessageId": TEXT,
        "custom": TEXT_MAP,
        "reactions": st.dictionaries(TEXT, REACTION, max_size=2),
        "editedAt": MOMENT,
    },
)

CONVERSATION_FIELDS = {
    "subject": TEXT,
    "photoUrl": TEXT,
    "topicId": TEXT,
    "welcomeMessages": st.lists(TEXT, max_size=2),
    "custom": TEXT_MAP,
    "lastMessage": MESSAGE,
    "participants": st.dictionaries(TEXT, PARTICIPATION, max_size=2),
    "everyoneReadUntil": MOMENT,
}

SESSION = objects(
    {},
    {
        "selectedConversationId": TEXT,
        "custom": TEXT_MAP,
        "hasFocus": st.booleans(),
        "isTyping": st.booleans(),
        "sessionId": TEXT,
    },
)

MODELS: dict[Callable[[Any], Any], st.SearchStrategy[Any]] = {
    User.from_wire: objects(
        {"id": TEXT, "name": TEXT, "createdAt": MOMENT},
        {
            "email": st.lists(TEXT, max_size=2),
            "phone": st.lists(TEXT, max_size=2),
            "photoUrl": TEXT,
            "welcomeMessage": TEXT,
            "locale": TEXT,
            "role": TEXT,
            "availabilityText": TEXT,
            "custom": TEXT_MAP,
            "pushTokens": st.dictionaries(TEXT, st.booleans() | st.none(), max_size=2),
        },
    ),
    Participation.from_wire: PARTICIPATION,
    Reaction.from_wire: objects({"emoji": TEXT}, {"count": st.integers(), "createdAt": MOMENT}),
    Message.from_wire: MESSAGE,
    Attachment.from_wire: objects({"url": TEXT}, {"size": st.integers()}),
    Location.from_wire: st.lists(st.floats(-180, 180), min_size=2, max_size=2),
    SendReceipt.from_wire: objects({"id": TEXT}, {}),
    Conversation.from_wire: objects({"id": TEXT, "createdAt": MOMENT}, CONVERSATION_FIELDS),
    UserConversation.from_wire: objects(
        {"id": TEXT, "createdAt": MOMENT},
        CONVERSATION_FIELDS
        | {"unreadMessageCount": st.integers(0), "isUnread": st.booleans(), "access": TEXT},
    ),
    Presence.from_wire: objects(
        {}, {"status": TEXT, "backgroundSessions": st.lists(SESSION), "widgets": st.lists(SESSION)}
    ),
    PresenceSession.from_wire: SESSION,
    UserSession.from_wire: objects({"isTyping": st.booleans()}, {"currentConversationId": TEXT}),
    App.from_wire: objects({"id": TEXT}, {"custom": TEXT_MAP, "defaultLocale": TEXT}),
    Theme.from_wire: objects({}, {"base": TEXT, "files": TEXT_MAP}),
    AnonymousProject.from_wire: objects({"appId": TEXT}, {"claimUrl": TEXT, "secretKey": TEXT}),
}
"""The reader of each model, and JSON objects that it must accept."""


def place_of_error(read: Callable[[Any], Any], wire: Any) -> str | None:
    """Read; return the path that our error names, or None if there is no error."""
    try:
        read(wire)
    except DecodeError as error:
        return error.json_path
    return None
