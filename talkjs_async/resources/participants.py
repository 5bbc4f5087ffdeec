"""
Participants: who is in a conversation, and what they may do there.

To read them, read the conversation: its `participants` maps user IDs to their settings.

Source: TalkJS documentation, REST API, Participation (read 2026-11-22).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from talkjs_async._core.call import Call, nothing, path
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import UNSET, Unset, checked_flag
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._answers import read_email_address
from talkjs_async.models._bodies import ParticipationInput
from talkjs_async.models.participants import Access, Notify

__all__ = ["Participants"]


class Participants(Resource):
    """Who is in a conversation, and what they may do there."""

    __slots__ = ()

    @endpoint
    def add(
        self,
        conversation_id: str,
        *,
        user_id: str,
        access: Literal["ReadWrite", "Read"] | None = None,
        notify: Notify | None = None,
    ) -> Call[None]:
        """
        Add a user to a conversation, or overwrite the settings of one who is in it.

        All of them: what is left out, or None, falls back to full access and notifications.

        Args:
            conversation_id, user_id: Both must exist.
            access: "ReadWrite" or "Read". `update` can hide the conversation from a participant.
            notify: True, False or "MentionsOnly".
        """
        settings = ParticipationInput(
            access=UNSET if access is None else access, notify=UNSET if notify is None else notify
        )
        if settings.access not in {"ReadWrite", "Read", UNSET}:
            raise ConfigurationError("access", "must be 'ReadWrite' or 'Read'.")
        return Call(
            method="PUT",
            path=_path(conversation_id, user_id),
            body=settings.to_wire(),
            decode=nothing,
        )

    @endpoint
    def update(
        self,
        conversation_id: str,
        *,
        user_id: str,
        access: Access | Unset = UNSET,
        notify: Notify | Unset = UNSET,
        read_until: datetime | int | Unset = UNSET,
    ) -> Call[None]:
        """
        Change the given settings of a participant, and only those.

        Args:
            conversation_id, user_id: Of an existing participant.
            access: "ReadWrite", "Read", or "None": sees the messages up to now, and no later ones,
                and is probably not in the conversation's `participants` any more (inferred).
            notify: True, False or "MentionsOnly".
            read_until: The moment up to which they have read: an aware datetime or Unix
                milliseconds (seen in TalkJS's own program). `conversations.mark_as_read` is the
                same.

        Raises:
            APIError: The user does not take part (which status is not documented).
        """
        if access is UNSET and notify is UNSET and read_until is UNSET:
            raise ConfigurationError(
                "access", "or notify or read_until must be given: there is nothing to change."
            )
        return Call(
            method="PATCH",
            path=_path(conversation_id, user_id),
            body=ParticipationInput(access=access, notify=notify, read_until=read_until).to_wire(),
            decode=nothing,
        )

    @endpoint
    def remove(self, conversation_id: str, *, user_id: str, missing_ok: bool = False) -> Call[None]:
        """
        Take a user out of a conversation.

        It disappears from their list (API versions before 2021-07-30: it stays, with the old
        messages). To let them keep what they have read, use `update(..., access="None")`.

        Args:
            conversation_id, user_id: Of a participant.
            missing_ok: Whether it is fine that they do not take part.

        Raises:
            NotFound: They do not (seen in code; TalkJS may also say nothing).
        """
        return Call(
            method="DELETE",
            path=_path(conversation_id, user_id),
            decode=nothing,
            missing_ok=checked_flag("missing_ok", missing_ok),
        )

    @endpoint
    def get_email(self, conversation_id: str, *, user_id: str) -> Call[str]:
        """
        Read the e-mail address that posts to the conversation in the name of the user.

        It is enough to write as that user: keep it as secret as a password. Only the newest
        documentation has this call.

        Raises:
            NotFound: The user does not take part (status inferred).
        """
        url = _path(conversation_id, user_id) + "/email"
        return Call(method="GET", path=url, decode=read_email_address)


def _path(conversation_id: str, user_id: str) -> str:
    conversation = path("conversations", conversation_id=conversation_id)
    return conversation + path("participants", user_id=user_id)
