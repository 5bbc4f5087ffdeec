"""
Imports: messages that were written elsewhere.

Source: TalkJS documentation, Importing messages (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from talkjs_async._core.call import Call, nothing, path
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._from_dicts import imported_message
from talkjs_async.models.imports import ImportedMessage

__all__ = ["Imports"]

MOST_MESSAGES_PER_POST = 10


class Imports(Resource):
    """Messages that were written elsewhere."""

    __slots__ = ()

    @endpoint
    def messages(
        self, conversation_id: str, messages: Sequence[ImportedMessage | Mapping[str, Any]]
    ) -> Call[None]:
        """
        Import up to ten messages with the times at which they were written.

        Import users and conversations first, with `users.upsert_many` and `conversations.upsert`.
        Nobody is notified and open chats do not show the messages before they are loaded anew.
        TalkJS keeps duplicates, so this is not repeated when its outcome is unknown.

        Args:
            conversation_id: Where to.
            messages: `ImportedMessage`, or mappings of their fields. Of participants only; the
                documentation advises to try it in test mode.

        Raises:
            BadRequest: A sender does not take part, or a field that TalkJS refuses.
            OutcomeUnknown: The request left and no answer came. List the conversation's messages to
                see whether they are there.
        """
        body = [message.to_wire() for message in _checked(messages)]
        return Call(
            method="POST",
            path="/import" + path("conversations", conversation_id=conversation_id) + "/messages",
            body=body,
            decode=nothing,
            idempotent=False,
        )


def _checked(messages: object) -> list[ImportedMessage]:
    if (
        not isinstance(messages, Sequence)
        or isinstance(messages, str | bytes)
        or not 1 <= len(messages) <= MOST_MESSAGES_PER_POST
    ):
        raise ConfigurationError(
            "messages", f"must be a list of 1 to {MOST_MESSAGES_PER_POST} messages."
        )
    return [imported_message(f"messages[{index}]", each) for index, each in enumerate(messages)]
