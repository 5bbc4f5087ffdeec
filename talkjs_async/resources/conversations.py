"""
Conversations: where messages stand and participants meet.

Source: TalkJS documentation, REST API, Conversations (read 2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Literal

from talkjs_async._core.call import Call, nothing, path, record
from talkjs_async._core.endpoint import Resource, endpoint, listing
from talkjs_async._core.listing import Listing
from talkjs_async._core.wire import (
    UNSET,
    Unset,
    checked_flag,
    checked_word,
    given_milliseconds,
)
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._bodies import READ_MARK
from talkjs_async.models._queries import ConversationQuery, Direction, OrderBy, list_order
from talkjs_async.models.conversations import Conversation, ConversationInput
from talkjs_async.models.filters import Filter

__all__ = ["Conversations"]

MOST_CONVERSATIONS_PER_PAGE = 30


def put_conversation(conversation_id: str, conversation: Mapping[str, Any]) -> Call[None]:
    """Build the request that stores a conversation, given as what goes to TalkJS."""
    url = path("conversations", conversation_id=conversation_id)
    return Call(method="PUT", path=url, body=conversation, decode=nothing)


class Conversations(Resource):
    """Where messages stand and participants meet."""

    __slots__ = ()

    @endpoint
    def upsert(
        self,
        conversation_id: str,
        *,
        participants: Iterable[str] | Unset = UNSET,
        subject: str | None | Unset = UNSET,
        photo_url: str | None | Unset = UNSET,
        welcome_messages: Iterable[str] | None | Unset = UNSET,
        custom: Mapping[str, str | None] | None | Unset = UNSET,
    ) -> Call[None]:
        """
        Create a conversation, or change some fields of one.

        Only the given fields change. None clears a field. This is also how to get or create one:
        call it before `get`.

        Args:
            conversation_id: Your own ID for it, or `one_on_one_id(a, b)`.
            participants: User IDs to add, with full access and notifications. None is removed by
                leaving them out: that is `participants.remove`.
            subject: Shown above the conversation.
            photo_url: Address of a picture.
            welcome_messages: Shown at the top; they are not real messages and are never listed.
                Replaced as a whole.
            custom: Merged key by key; a key set to None goes away, None as a whole clears all
                (inferred from TalkJS's own programs).

        Raises:
            BadRequest: A field that TalkJS refuses. Whether unknown users in *participants* are
                refused is not documented: create them first.
        """
        conversation = ConversationInput(
            participants=participants,
            subject=subject,
            photo_url=photo_url,
            welcome_messages=welcome_messages,
            custom=custom,
        )
        return put_conversation(conversation_id, conversation.to_wire())

    @endpoint
    def get(self, conversation_id: str) -> Call[Conversation]:
        """
        Read one conversation.

        Raises:
            NotFound: There is no such conversation.
        """
        url = path("conversations", conversation_id=conversation_id)
        return Call(
            method="GET", path=url, decode=Conversation.from_wire, names=record(conversation_id)
        )

    @listing
    def list(
        self,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        starting_after: str | None = None,
        order_by: OrderBy = "lastActivity",
        order_direction: Direction = "DESC",
        offset: datetime | int | None = None,
        last_message_before: datetime | int | None = None,
        last_message_after: datetime | int | None = None,
        filter: Filter | None = None,
    ) -> Listing[Conversation]:
        """
        List the conversations of the app.

        Args:
            limit: Conversations in all, at most. None: every one.
            page_size: Conversations per request, 1 to 30. None: 30, the cheapest.
            starting_after: ID of a conversation: begin behind it.
            order_by: "lastActivity" (the server's default) or "createdAt" (spelling inferred).
            order_direction: "DESC" for the latest first, or "ASC".
            offset: Begin at this moment of the order (`offsetTs`; what it means exactly is
                inferred).
            last_message_before: Only conversations whose last message is older.
            last_message_after: Only conversations whose last message is younger.
            filter: Conditions on custom data (in production use since 2023; the grammar is
                documented for TalkJS's SDKs and inferred for REST).

        Moments are aware datetimes, or whole Unix milliseconds; seconds are refused.
        """
        query = ConversationQuery(
            order_by=order_by,
            order_direction=order_direction,
            offset=offset,
            last_message_before=last_message_before,
            last_message_after=last_message_after,
            filter=filter,
        )
        return Listing(
            path="/conversations",
            query=query.to_wire(),
            most=MOST_CONVERSATIONS_PER_PAGE,
            limit=limit,
            page_size=page_size,
            starting_after=starting_after,
            item=Conversation.from_wire,
            key=attrgetter("id"),
            order=list_order(order_by, order_direction),
        )

    @endpoint
    def delete(self, conversation_id: str, *, missing_ok: bool = False) -> Call[None]:
        """
        Delete a conversation with all its messages. There is no way back.

        Args:
            conversation_id: The conversation.
            missing_ok: Whether it is fine that there is none.

        Raises:
            NotFound: There is no such conversation (seen in code; TalkJS may also say nothing).
        """
        url = path("conversations", conversation_id=conversation_id)
        return Call(
            method="DELETE",
            path=url,
            decode=nothing,
            missing_ok=checked_flag("missing_ok", missing_ok),
        )

    @endpoint
    def mark_as_read(
        self,
        conversation_id: str,
        *,
        user_id: str,
        until: datetime | int | Unset = UNSET,
        form: Literal["participant", "read_by", "user_conversation"] = "participant",
    ) -> Call[None]:
        """
        Mark a conversation as read by a user.

        Args:
            conversation_id, user_id: The user must take part.
            until: The moment up to which everything counts as read: an aware datetime or Unix
                milliseconds. Left out: everything; "participant" takes the client's time for that,
                so that a clock that is behind leaves the latest messages unread.
            form: Which of three calls does it; none is in the documentation that could be read.
                "participant": `PATCH .../participants/{userId}`, seen in TalkJS's own program of
                2026. "read_by": `POST .../readBy/{userId}`, seen in programs; takes no *until*.
                "user_conversation": `PATCH /users/{userId}/conversations/{conversationId}`, from a
                third party's description.

        Raises:
            NotFound: There is no such conversation or participant, or no such call (all inferred).
        """
        checked_word("form", form, _FORMS)
        if form == "read_by":
            if until is not UNSET:
                raise ConfigurationError("until", 'cannot go with form="read_by": leave it out.')
            conversation = path("conversations", conversation_id=conversation_id)
            url = conversation + path("readBy", user_id=user_id)
            return Call(method="POST", path=url, decode=nothing)
        if until is not UNSET:
            moment: int | str = _moment("until", until)
        elif form == "user_conversation":
            moment = "sent"
        else:
            moment = int(self._clock.time() * 1000)
        return _read_until(conversation_id, user_id, moment, form)

    @endpoint
    def mark_as_unread(
        self,
        conversation_id: str,
        *,
        user_id: str,
        after: datetime | int | Unset = UNSET,
        form: Literal["participant", "user_conversation"] = "participant",
    ) -> Call[None]:
        """
        Mark a conversation as unread by a user.

        Args:
            conversation_id, user_id: The user must take part.
            after: What was sent after this moment becomes unread: an aware datetime or Unix
                milliseconds. Left out: everything.
            form: As for `mark_as_read`; that either moves the mark back is inferred.

        Raises:
            NotFound: There is no such conversation or participant, or no such call (all inferred).
        """
        checked_word("form", form, _FORMS)
        moment = 0 if after is UNSET else _moment("after", after)
        return _read_until(conversation_id, user_id, moment, form)


_FORMS: Final = ("participant", "read_by", "user_conversation")


def _moment(argument: str, value: datetime | int) -> int:
    if READ_MARK.allows(value):
        return given_milliseconds(value)
    raise ConfigurationError(argument, READ_MARK.says)


def _read_until(conversation_id: str, user_id: str, moment: int | str, form: str) -> Call[None]:
    conversation = path("conversations", conversation_id=conversation_id)
    if form == "participant":
        url = conversation + path("participants", user_id=user_id)
    elif form == "user_conversation":
        url = path("users", user_id=user_id) + conversation
    else:
        raise ConfigurationError("form", "cannot be 'read_by' here: nothing becomes unread by it.")
    return Call(method="PATCH", path=url, body={"readUntil": moment}, decode=nothing)
