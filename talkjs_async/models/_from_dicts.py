"""
What callers write, given as a mapping: the same mappings that bulk jobs take.

Field names may be Python's or TalkJS's. Called by the resources that take many, and by bulk jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from talkjs_async._core.wire import checked_word
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models._given_times import as_moment
from talkjs_async.models._parts import BLOCK_TYPES, read_block
from talkjs_async.models.content import UnknownBlock
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.messages import SystemMessage, UserMessage
from talkjs_async.models.users import UserInput

T = TypeVar("T")

_USER: Final = FieldNames(UserInput)
_MESSAGE: Final = FieldNames(UserMessage, "type")
IMPORTED_TIMES: Final = dict.fromkeys(("timestamp", "createdAt", "created_at"), "sent_at")
"""What other programs call the time of a message."""
_IMPORTED: Final = FieldNames(ImportedMessage, "type", **IMPORTED_TIMES)


def user_input(argument: str, thing: object) -> UserInput:
    """
    Make what to write about a user of a mapping of its fields.

    Args:
        argument: What *thing* is called in errors.
        thing: A mapping, or a UserInput already.

    Raises:
        ConfigurationError: It is neither, or a field is unknown or breaks its rule.
    """
    if isinstance(thing, UserInput):
        return thing
    return _within(argument, lambda: UserInput(**_USER.of(_mapping(thing, "a UserInput"))))


def outgoing_message(argument: str, thing: object) -> UserMessage | SystemMessage:
    """Make a message to send, likewise; `type` tells one of the system from one of a user."""
    if isinstance(thing, UserMessage | SystemMessage):
        return thing
    words = "a UserMessage, a SystemMessage"
    return _within(argument, lambda: message_of(_MESSAGE.of(_mapping(thing, words))))


def imported_message(argument: str, thing: object) -> ImportedMessage | ImportedSystemMessage:
    """Make a message to import, likewise."""
    if isinstance(thing, ImportedMessage | ImportedSystemMessage):
        return thing
    words = "an ImportedMessage, an ImportedSystemMessage"
    return _within(argument, lambda: imported_of(_IMPORTED.of(_mapping(thing, words))))


def message_list(messages: object, most: int, make: Callable[[str, object], T]) -> list[T]:
    """
    Make a list of messages of what the argument *messages* holds.

    Args:
        most: How many it may hold; at least one.
        make: `outgoing_message` or `imported_message`.

    Raises:
        ConfigurationError: It is no such list, or *make* refuses a message.
    """
    if (
        not isinstance(messages, Sequence)
        or isinstance(messages, str | bytes)
        or not 1 <= len(messages) <= most
    ):
        raise ConfigurationError("messages", f"must be a list of 1 to {most} messages.")
    return [make(f"messages[{index}]", each) for index, each in enumerate(messages)]


def imported_of(fields: dict[str, Any]) -> ImportedMessage | ImportedSystemMessage:
    """
    Make a message to import of its fields, under their Python names; see `as_moment` for its time.

    Raises:
        ConfigurationError: A field is missing, not for this type of message, or breaks its rule.
    """
    fields = _with_blocks(fields)
    kind = fields.pop("type", "UserMessage")
    checked_word("type", kind, ("UserMessage", "SystemMessage"))
    system = kind == "SystemMessage"
    body = () if "content" in fields else ("text",)
    for name in (*(() if system else ("sender",)), *body, "sent_at"):
        if name not in fields:
            raise ConfigurationError(name, "is missing.")
    fields["sent_at"] = as_moment(fields["sent_at"])
    if not system:
        return ImportedMessage(**fields)
    for name in ("sender", "read_by", "attachment_token"):
        if name in fields:
            raise ConfigurationError(name, "must not be given for a SystemMessage.")
    return ImportedSystemMessage(**fields)


def message_of(fields: dict[str, Any]) -> UserMessage | SystemMessage:
    """
    Make a message of its fields, under their Python names.

    Raises:
        ConfigurationError: A field is missing, not for this type of message, or breaks its rule.
    """
    fields = _with_blocks(fields)
    kind = fields.pop("type", "UserMessage")
    checked_word("type", kind, ("UserMessage", "SystemMessage"))
    if kind == "UserMessage":
        if "sender" not in fields:
            raise ConfigurationError("sender", "is missing.")
        return UserMessage(**fields)
    for name in ("sender", "location"):
        if name in fields:
            raise ConfigurationError(name, "must not be given for a SystemMessage.")
    return SystemMessage(**fields)


def _with_blocks(fields: dict[str, Any]) -> dict[str, Any]:
    """Make content blocks of mappings: a file of JSON has nothing else."""
    content = fields.get("content")
    if not isinstance(content, list | tuple):
        return fields
    return {**fields, "content": tuple(map(_block, content))}


def _block(thing: object) -> object:
    if not isinstance(thing, Mapping):
        return thing
    block = read_block(dict(thing))
    # A newer type of block goes to TalkJS as it is; a wrong one of a known type goes nowhere.
    if isinstance(block, UnknownBlock) and (block.type == "" or block.type in BLOCK_TYPES):
        raise ConfigurationError("content", f"holds a block that is no {block.type or 'block'}.")
    return block


def _mapping(thing: object, otherwise: str) -> Mapping[Any, Any]:
    if isinstance(thing, Mapping):
        return thing
    raise ConfigurationError(
        "", f"must be {otherwise} or a mapping of its fields, not {type(thing).__name__}."
    )


def _within(argument: str, make: Callable[[], T]) -> T:
    """Say in whose fields an error is: `users['a'].name`."""
    try:
        return make()
    except ConfigurationError as error:
        inner = f".{error.argument}" if error.argument else ""
        raise ConfigurationError(f"{argument}{inner}", error.rule) from None
