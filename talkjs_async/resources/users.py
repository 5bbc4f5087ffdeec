"""
Users: the people who chat.

Source: TalkJS documentation, REST API, Users (read 2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from talkjs_async._core.call import Call, nothing, path, record
from talkjs_async._core.endpoint import Resource, endpoint, listing
from talkjs_async._core.listing import Listing, Order
from talkjs_async._core.wire import UNSET, Unset
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.models._answers import read_user_sessions
from talkjs_async.models._from_dicts import user_input
from talkjs_async.models._queries import ConversationQuery, Direction, OrderBy, list_order
from talkjs_async.models.conversations import UserConversation
from talkjs_async.models.presences import UserSession
from talkjs_async.models.users import User, UserInput

__all__ = ["Users"]

MOST_USERS_PER_PUT = 100
MOST_USERS_PER_PAGE = 100
MOST_CONVERSATIONS_PER_PAGE = 30


def put_users(users: Mapping[str, Any]) -> Call[None]:
    """Build the request that stores users, given as what goes to TalkJS by their IDs."""
    return Call(method="PUT", path="/users", body=users, decode=nothing)


class Users(Resource):
    """The people who chat."""

    __slots__ = ()

    @endpoint
    def upsert(
        self,
        user_id: str,
        *,
        name: str | Unset = UNSET,
        email: Iterable[str] | None | Unset = UNSET,
        phone: Iterable[str] | None | Unset = UNSET,
        photo_url: str | None | Unset = UNSET,
        welcome_message: str | None | Unset = UNSET,
        locale: str | None | Unset = UNSET,
        role: str | None | Unset = UNSET,
        availability_text: str | None | Unset = UNSET,
        custom: Mapping[str, str | None] | None | Unset = UNSET,
        push_tokens: Mapping[str, Literal[True] | None] | None | Unset = UNSET,
    ) -> Call[None]:
        """
        Create a user, or change some fields of one.

        Only the given fields change. None clears a field.

        Args:
            user_id: Your own ID for them, unique and permanent.
            name: Needed to create a user.
            email: Addresses for notifications.
            phone: Numbers in E.164 form.
            photo_url: Address of a picture.
            welcome_message: Shown in an empty conversation with this user. TalkJS calls it
                deprecated for its newer SDKs.
            locale: IETF language tag.
            role: Name of a role from the dashboard.
            availability_text: Documented for reading; TalkJS's own anonymising script writes it.
            custom: Merged key by key; a key set to None goes away, None as a whole clears all
                (inferred from TalkJS's own programs).
            push_tokens: "fcm:<token>" or "apns:<token>" to True (register) or None (unregister).

        Raises:
            BadRequest: A new user without *name*, or a field that TalkJS refuses.
        """
        user = UserInput(
            name=name,
            email=email,
            phone=phone,
            photo_url=photo_url,
            welcome_message=welcome_message,
            locale=locale,
            role=role,
            availability_text=availability_text,
            custom=custom,
            push_tokens=push_tokens,
        )
        url = path("users", user_id=user_id)
        return Call(method="PUT", path=url, body=user.to_wire(), decode=nothing)

    @endpoint
    def upsert_many(self, users: Mapping[str, UserInput | Mapping[str, Any]]) -> Call[None]:
        """
        Create or change up to 100 users with one request.

        All or nothing: one invalid user, and none is stored.

        Args:
            users: User ID to its fields: a `UserInput`, or a mapping as for `bulk.upsert_users`.

        Raises:
            BadRequest: Its `reasons_by_key` names each invalid user (how exactly is documented in
                words only).
        """
        if not isinstance(users, Mapping) or not 1 <= len(users) <= MOST_USERS_PER_PUT:
            raise ConfigurationError(
                "users", f"must map 1 to {MOST_USERS_PER_PUT} user IDs to UserInput or mappings."
            )
        body = {}
        for user_id, user in users.items():
            argument = f"users[{shown(user_id, most=50)}]"
            path("users", **{argument: user_id})
            body[user_id] = user_input(argument, user).to_wire()
        return put_users(body)

    @endpoint
    def get(self, user_id: str) -> Call[User]:
        """
        Read one user.

        Raises:
            NotFound: There is no such user.
        """
        url = path("users", user_id=user_id)
        return Call(method="GET", path=url, decode=User.from_wire, names=record(user_id))

    @listing
    def list(
        self,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        starting_after: str | None = None,
        is_online: bool | None = None,
    ) -> Listing[User]:
        """
        List the users of the app, newest first.

        Args:
            limit: Users in all, at most. None: every one.
            page_size: Users per request, 1 to 100. None: 100, the cheapest.
            starting_after: ID of a user: begin behind them.
            is_online: Only users who are (True) or are not (False) online. None: all. (Seen in a
                public client of 2020; the value's format is inferred.)
        """
        query: dict[str, str] = {}
        if is_online is not None:
            if not isinstance(is_online, bool):
                raise ConfigurationError("is_online", "must be True, False or None.")
            query["isOnline"] = "true" if is_online else "false"
        return Listing(
            path="/users",
            query=query,
            most=MOST_USERS_PER_PAGE,
            limit=limit,
            page_size=page_size,
            starting_after=starting_after,
            item=User.from_wire,
            key=attrgetter("id"),
            order=Order(at=attrgetter("created_at_ms")),
        )

    @listing
    def list_conversations(
        self,
        user_id: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        starting_after: str | None = None,
        order_by: OrderBy = "lastActivity",
        order_direction: Direction = "DESC",
        offset: datetime | int | None = None,
        last_message_before: datetime | int | None = None,
        last_message_after: datetime | int | None = None,
        unreads_only: bool = False,
    ) -> Listing[UserConversation]:
        """
        List a user's conversations, with what they look like to that user.

        Args:
            user_id: The user.
            limit: Conversations in all, at most. None: every one.
            page_size: Conversations per request, 1 to 30. None: 30, the cheapest.
            starting_after: ID of a conversation: begin behind it.
            order_by: "lastActivity" (the server's default) or "createdAt" (spelling inferred).
            order_direction: "DESC" for the latest first, or "ASC".
            offset: Begin at this moment of the order (`offsetTs`; what it means exactly is
                inferred).
            last_message_before: Only conversations whose last message is older.
            last_message_after: Only conversations whose last message is younger.
            unreads_only: Only conversations with unread messages.

        Moments are aware datetimes, or whole Unix milliseconds; seconds are refused.

        Raises:
            NotFound: There is no such user (API versions before 2024-01-01: an empty list).
        """
        query = ConversationQuery(
            order_by=order_by,
            order_direction=order_direction,
            offset=offset,
            last_message_before=last_message_before,
            last_message_after=last_message_after,
            unreads_only=unreads_only,
        )
        return Listing(
            path=path("users", user_id=user_id) + "/conversations",
            query=query.to_wire(),
            most=MOST_CONVERSATIONS_PER_PAGE,
            limit=limit,
            page_size=page_size,
            starting_after=starting_after,
            item=UserConversation.from_wire,
            key=attrgetter("id"),
            order=list_order(order_by, order_direction),
        )

    @endpoint
    def list_sessions(self, user_id: str) -> Call[tuple[UserSession, ...]]:
        """
        List the open chats of a user; none when the user is offline.

        The older form of presence, documented in 2018 and no longer: prefer `presences.query`.

        Raises:
            NotFound: There is no such user, or no such call any more (both inferred).
        """
        url = path("users", user_id=user_id) + "/sessions"
        return Call(method="GET", path=url, decode=read_user_sessions)
