"""
Content blocks: what a message consists of.

`{"type": "text", "children": [...]}`, `{"type": "file", "fileToken": ...}` or
`{"type": "location", "latitude": ..., "longitude": ...}`; today exactly one block per message.
Documented for the JavaScript SDK. That the REST API takes them in `content` is a third party's
claim.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async.emulator import markup
from talkjs_async.emulator._checks import text
from talkjs_async.emulator._stored_records import StoredApp, StoredMessage
from talkjs_async.emulator.files import File

_MAX_DEPTH = 50


@attrs.frozen(kw_only=True)
class Content:
    """What is in a message: exactly one of text, file and location."""

    text: str | None = None
    nodes: list[Any] | None = None
    """The text as nodes, when it was sent like that."""
    file: File | None = None
    location: tuple[float, float] | None = None


class WrongContent(Exception):
    """What is wrong with a message's content: a field, and the rule it breaks."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} {rule}")
        self.field = field
        self.rule = rule


def read_content(app: StoredApp, item: Mapping[str, Any]) -> Content:
    """Return what is in a message that is to be sent, or raise `WrongContent`."""
    given = [name for name in ("text", "attachmentToken", "location", "content") if name in item]
    if len(given) != 1:
        raise WrongContent("text", "or attachmentToken, location or content is required, only one")
    if "text" in item:
        return Content(text=item["text"])
    if "attachmentToken" in item:
        return Content(file=_file(app, "attachmentToken", item["attachmentToken"]))
    if "location" in item:
        return Content(location=_location("location", item["location"]))
    return _read_blocks(app, item["content"])


def render_blocks(message: StoredMessage, origin: str) -> list[dict[str, Any]]:
    """Return a message's content blocks."""
    if message.file is not None:
        return [_file_block(message.file, origin)]
    if message.location is not None:
        latitude, longitude = message.location
        return [{"type": "location", "latitude": latitude, "longitude": longitude}]
    nodes = message.nodes if message.nodes is not None else markup.parse(message.text or "")
    return [{"type": "text", "children": nodes}]


def _read_blocks(app: StoredApp, blocks: Any) -> Content:
    if not isinstance(blocks, list) or len(blocks) != 1 or not isinstance(blocks[0], dict):
        raise WrongContent("content", "must be a list of one block")
    block = blocks[0]
    kind = block.get("type")
    if kind == "text":
        nodes: Any = block.get("children")
        _check_nodes(nodes, depth=0)
        return Content(text=markup.plain(nodes), nodes=nodes)
    if kind == "file":
        return Content(file=_file(app, "content", block.get("fileToken")))
    if kind == "location":
        where = [block.get("latitude"), block.get("longitude")]
        return Content(location=_location("content", where))
    raise WrongContent("content", f"has no block type {kind!r}")


def _file(app: StoredApp, field: str, token: Any) -> File:
    if not isinstance(token, str) or token not in app.files:
        raise WrongContent(field, "is not the token of an uploaded file")
    return app.files[token]


def _location(field: str, value: Any) -> tuple[float, float]:
    # Documented as longitude, latitude, but the documentation's own sample is latitude first.
    match value:
        case [int() | float() as latitude, int() | float() as longitude]:
            if -90 <= latitude <= 90 and -180 <= longitude <= 180:
                return latitude, longitude
    raise WrongContent(field, "must be a latitude in -90..90 and a longitude in -180..180")


def _check_nodes(nodes: Any, *, depth: int) -> None:
    if not isinstance(nodes, list) or depth > _MAX_DEPTH:
        raise WrongContent("content", "must have a list of text nodes as children")
    for node in nodes:
        if not isinstance(node, str):
            _check_node(node, depth=depth)


def _check_node(node: Any, *, depth: int) -> None:
    kind = node.get("type") if isinstance(node, dict) else None
    match kind:
        case "bold" | "italic" | "strikethrough" | "bulletList" | "bulletPoint":
            needed: tuple[str, ...] = ()
        case "codeSpan" | "customEmoji":
            needed = ("text",)
        case "link":
            needed = ("url",)
        case "autoLink":
            needed = ("url", "text")
        case "actionLink" | "actionButton":
            needed = ("action",)
        case "mention":
            needed = ("id", "text")
        case _:
            raise WrongContent("content", f"has no text node type {kind!r}")
    for name in needed:
        if text(node.get(name)) is not None:
            raise WrongContent("content", f"needs a text {name!r} in every {kind}")
    if "text" not in needed:
        _check_nodes(node.get("children"), depth=depth + 1)


def _file_block(file: File, origin: str) -> dict[str, Any]:
    block: dict[str, Any] = {
        "type": "file",
        "fileToken": file.token,
        "url": file.url(origin),
        "size": file.size,
        "filename": file.filename,
    }
    for name in ("subtype", "width", "height", "duration"):
        value = getattr(file, name)
        if value is not None:
            block[name] = value
    return block
