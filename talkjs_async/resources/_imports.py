"""
Imports: the call that stores messages which were written elsewhere.

Source: TalkJS's own program that copies an app (seen in code, read 2026-11-26); TalkJS
documentation, Importing messages, for the older rules (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from talkjs_async._core.call import Call, path
from talkjs_async._core.wire import checked_word
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._answers import read_imported_messages
from talkjs_async.models._from_dicts import imported_message, message_list
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.messages import SendReceipt

__all__ = ["Rules", "import_call"]

MOST_MESSAGES_PER_POST: Final = 100
MOST_MESSAGES_PER_OLDER_POST: Final = 10

Rules: TypeAlias = Literal["current", "older"]


def import_call(
    conversation_id: str,
    messages: Sequence[ImportedMessage | ImportedSystemMessage | Mapping[str, Any]],
    rules: Rules,
) -> Call[tuple[SendReceipt, ...]]:
    """Build the call; see `Messages.import_many`."""
    checked_word("rules", rules, ("current", "older"))
    older = rules == "older"
    most = MOST_MESSAGES_PER_OLDER_POST if older else MOST_MESSAGES_PER_POST
    body = [message.to_wire() for message in message_list(messages, most, imported_message)]
    if older:
        body = [_in_older_form(index, item) for index, item in enumerate(body)]
    return Call(
        method="POST",
        path="/import" + path("conversations", conversation_id=conversation_id) + "/messages",
        body=body,
        decode=partial(read_imported_messages, count=len(body)),
        needs_answer=False,
        idempotent=False,
    )


def _in_older_form(index: int, item: dict[str, Any]) -> dict[str, Any]:
    if "sender" not in item or "text" not in item:
        raise ConfigurationError(
            f"messages[{index}]", "must be a user's text: the older rules take nothing else."
        )
    sent_at = item.pop("createdAt")
    return {"readBy": [], **item, "timestamp": sent_at}
