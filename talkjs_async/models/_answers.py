"""
Whole answers that are no model by themselves: arrays, maps by name, a lone text.

Called by the resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from talkjs_async._core.wire import is_id
from talkjs_async.errors import DecodeError
from talkjs_async.models._field_types import array_of, map_of, text_at, under_data
from talkjs_async.models.messages import SendReceipt
from talkjs_async.models.presences import Presence, UserSession
from talkjs_async.models.themes import Theme


def read_sent_messages(data: Any) -> tuple[SendReceipt, ...]:
    """Read the bare array that answers a POST of messages. Raises DecodeError."""
    return array_of(SendReceipt.from_wire)(data)


def read_imported_messages(data: Any, *, count: int) -> tuple[SendReceipt, ...]:
    """
    Read the answer to an import of *count* messages: their IDs in order, or `{}`.

    TalkJS's own program does without the IDs when there are not as many as messages, and so do we,
    also when they cannot be those of so many messages.
    """
    try:
        sent = read_sent_messages(data)
    except DecodeError:
        return ()
    ids = {receipt.id for receipt in sent}
    return sent if len(sent) == len(ids) == count and all(map(is_id, ids)) else ()


def read_presences(data: Any) -> Mapping[str, Presence]:
    """
    Read `{"data": {user ID: presence}}`. Users who are offline are absent (inferred).

    Raises:
        DecodeError: It is something else.
    """
    return under_data(map_of(Presence.from_wire))(data)


def read_user_sessions(data: Any) -> tuple[UserSession, ...]:
    """Read the bare array of a user's sessions; empty when offline. Raises DecodeError."""
    return array_of(UserSession.from_wire)(data)


def read_themes(data: Any) -> Mapping[str, Theme]:
    """Read the map from theme names to themes. Raises DecodeError, which names the place."""
    return map_of(Theme.from_wire)(data)


def read_email_address(data: Any) -> str:
    """Read `{"emailAddress": ...}`, the answer of `participants.get_email`. Raises DecodeError."""
    return text_at(data, "emailAddress")


def read_file_token(data: Any) -> str:
    """
    Read the token of an uploaded file.

    TalkJS's SDK and its newest program are answered `fileToken`, an older program
    `attachmentToken` (seen in code). Either is understood.

    Raises:
        DecodeError: Neither is there.
    """
    return text_at(data, "attachmentToken", "fileToken")
