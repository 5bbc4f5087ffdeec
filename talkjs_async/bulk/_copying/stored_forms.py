"""
What of an app's raw records is stored in another app, in which form, and what is lost.

Knows the JSON of records; no journal and no requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from talkjs_async._core.wire import moment
from talkjs_async.bulk._engine.source_records import BadRecord, digest_of
from talkjs_async.bulk._record_types.files import CopiedFile
from talkjs_async.bulk._record_types.imports import CopiedMessage, Imported, OldMessage
from talkjs_async.errors import ConfigurationError, DecodeError, shown
from talkjs_async.models._bodies import ParticipationInput
from talkjs_async.models._parts import read_block, read_reactions
from talkjs_async.models.content import (
    ContentBlock,
    FileBlock,
    LocationBlock,
    MentionNode,
    TextBlock,
    UnknownBlock,
    UnknownNode,
)
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.markup import escape_markup, plain_text
from talkjs_async.models.messages import Location

TokenOf = Callable[[str], str | BadRecord]
"""Gives the token of a file, by its URL in the source, or says why there is none."""

_USER_FIELDS: Final = (
    "id",
    "name",
    "email",
    "phone",
    "photoUrl",
    "welcomeMessage",
    "locale",
    "role",
    "availabilityText",
    "custom",
    "pushTokens",
)
_CONVERSATION_FIELDS: Final = ("id", "subject", "photoUrl", "welcomeMessages", "custom")


def stored_user(user: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a user."""
    fields = {name: user.get(name) for name in _USER_FIELDS}
    if fields["role"] is None or fields["role"] == "default":
        # What TalkJS answers for users without a role (documented sample), and its older name.
        fields["role"] = user.get("configuration")
    if not fields["name"]:
        # It is required, and without the user all that it wrote would be missing.
        fields["name"] = user.get("id")
    return _given(fields)


def stored_conversation(
    conversation: Mapping[str, Any], participants: Sequence[str]
) -> dict[str, Any]:
    """Return what is stored of a conversation."""
    fields = {name: conversation.get(name) for name in _CONVERSATION_FIELDS}
    return {**_given(fields), "participants": list(participants)}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def participation(participant: Mapping[str, Any]) -> ParticipationInput:
    """
    Return what has to be said of a participant: all, since an earlier run may have said else.

    Raises:
        ConfigurationError: It cannot be said.
    """
    settings: dict[str, Any] = {
        "access": participant.get("access", "ReadWrite"),
        "notify": participant.get("notify", True),
    }
    if participant.get("readUntil"):
        settings["read_until"] = _moment(participant["readUntil"], "readUntil")
    return ParticipationInput(**settings)


DEFAULT_PARTICIPATION: Final = ParticipationInput(access="ReadWrite", notify=True)
"""What those have who were only added."""


def file_name(url: str) -> str:
    """
    What a report calls a file: its URL, with a digest in place of the query.

    A query is often a permission to read the file, and no matter for a report. Of 64 bits, the
    digest tells the queries of millions of files apart that have one path.
    """
    plain, mark, query = url.partition("?")
    digest = digest_of(query.encode(errors="surrogatepass")).hex()[:16]
    return f"{plain}?{digest}" if mark else plain


def copied_file(url: str, block: Mapping[str, Any]) -> CopiedFile:
    """Return what is to be copied of a file, by its block or its older attachment."""
    return CopiedFile(
        name=file_name(url),
        url=url,
        filename=_filename(url, block),
        size=_of(int, block.get("size")),
        subtype=_of(str, block.get("subtype")),
        width=_of(int | float, block.get("width")),
        height=_of(int | float, block.get("height")),
        duration=_of(int | float, block.get("duration")),
    )


def _filename(url: str, block: Mapping[str, Any]) -> str:
    name = block.get("filename")
    if not isinstance(name, str) or not name:
        try:
            name = unquote(urlsplit(url).path.rpartition("/")[2])
        except ValueError:
            name = ""
    return name or "file"


def _of(type_: Any, value: Any) -> Any:
    return value if isinstance(value, type_) and not isinstance(value, bool) else None


def urls_of(message: Mapping[str, Any]) -> Iterator[str]:
    """Find the URLs of the files that a message carries."""
    content = message.get("content")
    blocks = content if isinstance(content, list) and content else [message.get("attachment")]
    for block in blocks:
        url = block.get("url") if isinstance(block, dict) else None
        if isinstance(url, str):
            yield url


def has_reactions(message: Mapping[str, Any]) -> bool:
    """Tell whether people have reacted to a message."""
    return any(one.count != 0 for one in read_reactions(message.get("reactions")).values())


def copied_message(
    message: Mapping[str, Any], token_of: TokenOf, *, readers: bool, reactions: bool
) -> CopiedMessage | BadRecord:
    """
    Return how a message is imported, or why it cannot be.

    Args:
        readers: Whether to say who has read it under the current rules, too. TalkJS's own program
            does not, and leaves that to read marks.
        reactions: Whether it is known who has reacted, and stored later.
    """
    id_ = message["id"]
    try:
        return _copied(message, token_of, readers=readers, reactions=reactions)
    except ConfigurationError as error:
        return BadRecord(reason=str(error), id=id_)
    except _Unfit as error:
        return BadRecord(reason=str(error), id=id_)


class _Unfit(Exception):
    pass


def _copied(
    message: Mapping[str, Any], token_of: TokenOf, *, readers: bool, reactions: bool
) -> CopiedMessage:
    losses: list[str] = []
    if message.get("referencedMessageId"):
        losses.append(f"that it answers {message['referencedMessageId']}")
    if message.get("editedAt"):
        losses.append("that it was edited")
    if not reactions and has_reactions(message):
        losses.append("who has reacted to it, which is not in the export")
    text = _of(str, message.get("text"))
    blocks = _blocks(message)
    unknown = [block.type for block in blocks if isinstance(block, UnknownBlock)]
    if unknown:
        if text is None:
            raise _Unfit(f"it has content of the type {unknown[0]!r}, which cannot be imported.")
        losses.append(f"its content of the type {unknown[0]!r}, of which its text is kept")
        blocks = ()
    if text is None and not blocks:
        raise _Unfit("it has no content.")
    files = [block for block in blocks if isinstance(block, FileBlock)]
    to_send = [_with_token(block, token_of) for block in blocks]
    common: dict[str, Any] = {"sent_at": _moment(message.get("createdAt"), "createdAt")}
    if message.get("custom"):
        common["custom"] = message["custom"]
    body = {"text": text} if _is_markup(text, blocks) else {"content": to_send}
    old = OldMessage(
        current=_current(message, {**common, **body}, readers=readers),
        older=_older(message, common, text, to_send, files),
        text=None if files else text,
    )
    return CopiedMessage(
        id=message["id"],
        conversation_id=message["conversationId"],
        message=old,
        content=[text, [_lasting(block) for block in blocks], message.get("custom") or {}],
        losses=f"lost: {'; '.join(losses)}" if losses else None,
    )


def _current(message: Mapping[str, Any], fields: Mapping[str, Any], *, readers: bool) -> Imported:
    kind = message.get("type")
    if kind == "SystemMessage":
        return ImportedSystemMessage(**fields)
    if kind != "UserMessage":
        raise _Unfit(f"it is of the type {kind!r}, which cannot be imported.")
    sender: Any = message.get("senderId")
    if readers and message.get("readBy"):
        return ImportedMessage(sender=sender, read_by=message["readBy"], **fields)
    return ImportedMessage(sender=sender, **fields)


def _older(
    message: Mapping[str, Any],
    common: Mapping[str, Any],
    text: str | None,
    blocks: Sequence[ContentBlock],
    files: Sequence[FileBlock],
) -> ImportedMessage | None:
    """Return the form under the older rules, which know users' texts, and files beside a text."""
    if message.get("type") != "UserMessage":
        return None
    fields = {**common, "sender": message.get("senderId")}
    if message.get("readBy"):
        fields["read_by"] = message["readBy"]
    block = blocks[0] if len(blocks) == 1 else None
    if isinstance(block, FileBlock):
        name = text or _filename(files[0].url or "", files[0].to_wire())
        return ImportedMessage(**fields, text=name, attachment_token=block.file_token)
    return None if text is None or isinstance(block, LocationBlock) else ImportedMessage(
        **fields, text=text
    )  # fmt: skip


def _blocks(message: Mapping[str, Any]) -> tuple[ContentBlock, ...]:
    """Return the content, also of an answer that is older than content blocks."""
    content = message.get("content")
    if isinstance(content, list) and content:
        return tuple(map(read_block, content))
    attachment, location = message.get("attachment"), message.get("location")
    if isinstance(attachment, dict):
        return (FileBlock(file_token="", url=attachment.get("url")),)
    if location is not None:
        try:
            place = Location.from_wire(location)
        except DecodeError:
            return (UnknownBlock(type="location", data=location),)
        return (LocationBlock(latitude=place.latitude, longitude=place.longitude),)
    return ()


def _with_token(block: ContentBlock, token_of: TokenOf) -> ContentBlock:
    if not isinstance(block, FileBlock):
        return block
    token = BadRecord(reason="its file has no URL.") if block.url is None else token_of(block.url)
    if isinstance(token, BadRecord):
        raise _Unfit(token.reason)
    # A request has the token only.
    return FileBlock(file_token=token)


def _is_markup(text: str | None, blocks: Sequence[ContentBlock]) -> bool:
    """
    Whether a message's text says all that its blocks say, when it is read as markup once more.

    Where it does not, the blocks are imported, in which text stands as it is.
    """
    if text is None:
        return False
    if not blocks:
        return True
    if len(blocks) > 1 or not isinstance(blocks[0], TextBlock) or _names_someone(blocks[0]):
        return False
    if plain_text(blocks) != text:
        # It is what was typed, and its marks have become nodes.
        return True
    is_plain = all(isinstance(node, str) for node in blocks[0].children)
    return is_plain and escape_markup(text) == text


def _names_someone(node: Any) -> bool:
    """Whether there is a node in it that no markup stands for."""
    return isinstance(node, MentionNode | UnknownNode) or any(
        map(_names_someone, getattr(node, "children", ()))
    )


def _lasting(block: ContentBlock) -> Any:
    """What of a block stays as it is each time the source is read."""
    if isinstance(block, FileBlock):
        return block.file_token or (block.url or "").partition("?")[0]
    return block.to_wire()


def _moment(milliseconds: Any, name: str) -> Any:
    if isinstance(milliseconds, float) and milliseconds.is_integer():
        milliseconds = int(milliseconds)
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        raise ConfigurationError(name, f"must be Unix milliseconds, not {shown(milliseconds)}.")
    try:
        return moment(milliseconds)
    except DecodeError:
        raise ConfigurationError(name, f"is no moment: {shown(milliseconds)}.") from None
