"""
Messages: what is said in a conversation.

Source: TalkJS documentation, REST API, Messages (read 2026-11-22), unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from talkjs_async._core.call import Call, nothing, path, record
from talkjs_async._core.endpoint import Resource, endpoint, listing
from talkjs_async._core.idempotency import KEY_LIFETIME, new_idempotency_key
from talkjs_async._core.listing import Listing, Order
from talkjs_async._core.wire import UNSET, Unset, checked_flag
from talkjs_async.errors import ConfigurationError, DecodeError, shown
from talkjs_async.models._answers import read_sent_messages
from talkjs_async.models._bodies import MessageEdit
from talkjs_async.models._from_dicts import message_list, outgoing_message
from talkjs_async.models.content import ContentBlock
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.messages import (
    Location,
    Message,
    SendReceipt,
    SystemMessage,
    UserMessage,
)
from talkjs_async.resources._imports import Rules, import_call

__all__ = ["Messages"]

T = TypeVar("T")

MOST_MESSAGES_PER_POST = 10
MOST_MESSAGES_PER_PAGE = 100


class Messages(Resource):
    """What is said in a conversation."""

    __slots__ = ()

    @endpoint
    def send(
        self,
        conversation_id: str,
        *,
        sender: str,
        text: str | None = None,
        attachment_token: str | None = None,
        location: Location | None = None,
        content: Sequence[ContentBlock] | None = None,
        referenced_message_id: str | None = None,
        custom: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[SendReceipt]:
        """
        Send one message on behalf of a user, exactly once.

        Whatever happens on the way, the message is stored at most once: it carries an idempotency
        key that is the same in every attempt. Give exactly one of *text*, *attachment_token*,
        *location* and *content*.

        Args:
            conversation_id: Where to.
            sender: User ID of a participant. For a message without a sender see `send_system`.
            text: May hold TalkJS markup (`*bold*`, `<url|label>`, ...); see `escape_markup`.
            attachment_token: A file, from `files.upload`.
            location: A place on the map (the name of the field in requests is inferred).
            content: Typed blocks; exactly one at present (form seen in TalkJS's SDK).
            referenced_message_id: The message that this one answers.
            custom: Your own data.
            idempotency_key: Your own key, to make a repeat from elsewhere harmless too. None: a
                new one is made for this call.

        None means not given, everywhere: a message that is sent has nothing to clear.

        Returns:
            The ID that TalkJS gave to the message.

        Raises:
            Forbidden: *sender* is not a participant (TalkJS's SDK gets a 403; that REST answers the
                same is inferred, and it may be a 400).
            NotFound: There is no such conversation (status inferred).
            BadRequest: TalkJS refuses the message itself.
            OutcomeUnknown: Every attempt ended without an answer. Calling again with the same
                *idempotency_key* is safe for a day.
        """
        message = UserMessage(
            sender=sender,
            text=text,
            attachment_token=attachment_token,
            location=location,
            content=content,
            referenced_message_id=referenced_message_id,
            custom=custom,
            idempotency_key=idempotency_key,
        )
        return _post(conversation_id, [message], _read_one)

    @endpoint
    def send_system(
        self,
        conversation_id: str,
        *,
        text: str | None = None,
        attachment_token: str | None = None,
        content: Sequence[ContentBlock] | None = None,
        referenced_message_id: str | None = None,
        custom: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[SendReceipt]:
        """
        Send one system message, exactly once: it has no sender and notifies no user.

        Args and errors are those of `send`, except that a system message cannot show a place. Give
        exactly one of *text*, *attachment_token* and *content*.
        """
        message = SystemMessage(
            text=text,
            attachment_token=attachment_token,
            content=content,
            referenced_message_id=referenced_message_id,
            custom=custom,
            idempotency_key=idempotency_key,
        )
        return _post(conversation_id, [message], _read_one)

    @endpoint
    def send_many(
        self,
        conversation_id: str,
        messages: Sequence[UserMessage | SystemMessage | Mapping[str, Any]],
    ) -> Call[tuple[SendReceipt, ...]]:
        """
        Send up to ten messages with one request, each exactly once.

        Args:
            conversation_id: Where to.
            messages: In the order in which they are to appear. One without an idempotency key gets
                a new one. A message may be a mapping of its fields, as for `bulk.send_messages`; a
                system message has the `type` "SystemMessage".

        Returns:
            One ID per message, in the same order (the order is inferred).

        Raises:
            Forbidden, NotFound, BadRequest, OutcomeUnknown: As for `send`.
        """
        checked = message_list(messages, MOST_MESSAGES_PER_POST, outgoing_message)
        return _post(conversation_id, checked, partial(_read, len(checked)))

    @endpoint
    def import_many(
        self,
        conversation_id: str,
        messages: Sequence[ImportedMessage | ImportedSystemMessage | Mapping[str, Any]],
        *,
        rules: Rules = "current",
    ) -> Call[tuple[SendReceipt, ...]]:
        """
        Import up to a hundred messages with the times at which they were written.

        Import users and conversations first, with `users.upsert_many` and `conversations.upsert`.
        No user is notified, and open chats do not show the messages until they are reloaded. TalkJS
        keeps duplicates, so the request is not repeated when its outcome is unknown, except after a
        500 or 503, which TalkJS calls safe to retry (documented). `bulk.import_messages` looks
        first what was stored, and finds out which rules are in force.

        Args:
            conversation_id: Where to.
            messages: `ImportedMessage`, `ImportedSystemMessage`, or mappings of their fields, as
                for `bulk.import_messages`. Senders must be participants. The documentation advises
                to try it in test mode.
            rules: "current": those of TalkJS's own program of 2026. "older": those that were
                documented: ten messages, texts of users only.

        Returns:
            The IDs, in the order of the messages. Empty when the answer does not hold one ID for
            each message.

        Source: TalkJS's own program that copies an app (seen in code, read 2026-11-26); TalkJS
        documentation, Importing messages, for the older rules (read 2026-11-22).

        Raises:
            BadRequest: A sender is not a participant, or TalkJS refuses a field.
            OutcomeUnknown: The request left and no answer came. List the conversation's messages to
                see whether they are there.
        """
        return import_call(conversation_id, messages, rules)

    @endpoint
    def get(self, conversation_id: str, *, message_id: str) -> Call[Message]:
        """
        Read one message.

        Source: Seen in public clients.

        Raises:
            NotFound: There is no such message (status inferred).
        """
        url = _path(conversation_id) + path("messages", message_id=message_id)
        return Call(method="GET", path=url, decode=Message.from_wire, names=record(message_id))

    @listing
    def list(
        self,
        conversation_id: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Listing[Message]:
        """
        List the messages of a conversation, newest first.

        Args:
            conversation_id: The conversation.
            limit: Messages in all, at most. None: every one.
            page_size: Messages per request, 1 to 100. None: 100, the cheapest.
            starting_after: ID of a message: begin after it, with older ones.

        Raises:
            NotFound: There is no such conversation (status inferred).
        """
        return Listing(
            path=_path(conversation_id) + "/messages",
            query={},
            most=MOST_MESSAGES_PER_PAGE,
            limit=limit,
            page_size=page_size,
            starting_after=starting_after,
            item=Message.from_wire,
            key=attrgetter("id"),
            order=Order(at=attrgetter("created_at_ms")),
        )

    @endpoint
    def edit(
        self,
        conversation_id: str,
        *,
        message_id: str,
        text: str | Unset = UNSET,
        custom: Mapping[str, str | None] | None | Unset = UNSET,
    ) -> Call[None]:
        """
        Change the text or the custom data of a message.

        Args:
            conversation_id, message_id: The message.
            text: Replaces what it says.
            custom: Merged key by key; a key set to None goes away, None as a whole clears all
                (inferred).

        Source: TalkJS's own programs.

        Raises:
            NotFound: There is no such message (status inferred).
        """
        edit = MessageEdit(text=text, custom=custom)
        url = _path(conversation_id) + path("messages", message_id=message_id)
        return Call(method="PUT", path=url, body=edit.to_wire(), decode=nothing)

    @endpoint
    def delete(
        self, conversation_id: str, *, message_id: str, missing_ok: bool = False
    ) -> Call[None]:
        """
        Delete one message.

        Args:
            conversation_id, message_id: The message.
            missing_ok: Whether it is fine that there is none.

        Source: TalkJS's own programs.

        Raises:
            NotFound: There is no such message (not documented: TalkJS may answer 200 all the same).
        """
        url = _path(conversation_id) + path("messages", message_id=message_id)
        return Call(
            method="DELETE",
            path=url,
            decode=nothing,
            missing_ok=checked_flag("missing_ok", missing_ok),
        )


def _path(conversation_id: str) -> str:
    return path("conversations", conversation_id=conversation_id)


def _post(
    conversation_id: str,
    messages: Sequence[UserMessage | SystemMessage],
    result: Callable[[Any], T],
) -> Call[T]:
    body = [message.to_wire() for message in messages]
    keys: list[str] = []
    for item in body:
        # Made here, once per call: a key made per attempt would protect nothing.
        key = item.setdefault("idempotencyKey", new_idempotency_key())
        if key in keys:
            raise ConfigurationError(
                "messages",
                f"use the idempotency key {shown(key)} twice: one of them would be lost.",
            )
        keys.append(key)
    return Call(
        method="POST",
        path=_path(conversation_id) + "/messages",
        body=body,
        decode=result,
        repeatable_for=KEY_LIFETIME,
        idempotency_keys=tuple(keys),
    )


def _read_one(data: Any) -> SendReceipt:
    return _read(1, data)[0]


def _read(count: int, data: Any) -> tuple[SendReceipt, ...]:
    # A 204 has no body: the messages are sent, but TalkJS does not give their IDs.
    sent = read_sent_messages([{"id": ""}] * count if data is None else data)
    if len(sent) != count:
        raise DecodeError(
            json_path="$", expected=f"an array of length {count}", got=f"{len(sent)} items"
        )
    return sent
