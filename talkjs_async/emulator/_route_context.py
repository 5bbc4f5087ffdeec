"""
What a route's function gets to work with: one request, its app, and the emulator's services.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from talkjs_async.emulator._index import Order
from talkjs_async.emulator._problems import Problem, bad_request, not_found
from talkjs_async.emulator._requests import Request, decode
from talkjs_async.emulator._stored_records import (
    StoredApp,
    StoredConversation,
    StoredMessage,
    StoredUser,
)
from talkjs_async.emulator._versions import version_in_force
from talkjs_async.emulator._world import World
from talkjs_async.emulator.request_log import Exchange
from talkjs_async.emulator.switches import Switches


class RouteContext:
    """One request while it is being answered."""

    def __init__(
        self,
        world: World,
        app: StoredApp,
        request: Request,
        exchange: Exchange,
        *,
        now: float | None = None,
    ) -> None:
        self.world = world
        self.app = app
        self.request = request
        self.exchange = exchange
        self.version: str = version_in_force(exchange.api_version, world.switches)
        """The API version in force, `YYYY-MM-DD`: compare as text."""
        self.now: float = world.clock.time() if now is None else now
        """Unix time in seconds."""
        self.now_ms: int = int(self.now * 1000)

    @property
    def switches(self) -> Switches:
        """The switches for undocumented behaviour."""
        return self.world.switches

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query parameters. Of a repeated one the last counts."""
        try:
            return dict(parse_qsl(self.request.query, keep_blank_values=True, errors="strict"))
        except UnicodeDecodeError as error:
            raise bad_request(["The query is not UTF-8."]) from error

    def json(self) -> Any:
        """
        Return the body, an empty one as `{}`.

        Official examples send PUT requests whose fields are all optional with an empty body.
        """
        body = self.request.body
        if not body:
            return {}
        declared = self.request.headers.get(b"content-type", b"")
        if not declared.lower().startswith(b"application/json"):
            if self.switches.wrong_content_type == "bad_request":
                raise bad_request(["The Content-Type must be application/json."])
            if self.switches.wrong_content_type == "unsupported_media_type":
                reason = "The Content-Type must be application/json."
                raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", [reason])
        return decode(body, self.switches)

    def order(self, id_: str, created_at: int | None = None) -> Order:
        """Return the place of a new record among all others."""
        moment = self.now_ms if created_at is None else created_at
        tie = id_ if self.switches.order_ties == "id" else ""
        return (moment, tie, self.world.next_number())

    def commit(
        self,
        kind: str,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        message_id: str | None = None,
        text: str | None = None,
        idempotency_key: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Note a change of state in the commit log."""
        self.world.commits.record(
            kind,
            at=self.now,
            app_id=self.app.id,
            user_id=user_id,
            conversation_id=conversation_id,
            message_id=message_id,
            text=text,
            idempotency_key=idempotency_key,
            detail=detail,
        )

    def emit(self, event_type: str, data: Callable[[], dict[str, Any]]) -> None:
        """Tell the webhooks, if there are any, with *data* of this moment."""
        self.world.webhooks.emit(event_type, data)

    def user(self, user_id: str) -> StoredUser:
        """Return a user, or raise the 404."""
        try:
            return self.app.users[user_id]
        except KeyError:
            raise not_found("user", user_id) from None

    def conversation(self, conversation_id: str) -> StoredConversation:
        """Return a conversation, or raise the 404."""
        try:
            return self.app.conversations[conversation_id]
        except KeyError:
            raise not_found("conversation", conversation_id) from None

    def message(self, conversation_id: str, message_id: str) -> StoredMessage:
        """Return a message, or raise the 404."""
        try:
            return self.conversation(conversation_id).message_by_id[message_id]
        except KeyError:
            raise not_found("message", message_id) from None
