"""
Text in and out of markup: a message as plain text, and a user's words that must not become markup.

Source: TalkJS docs, Formatting (documented), and TalkJS's JavaScript SDK 1.12 (seen in code).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.models.content import (
    AutoLinkNode,
    CodeSpanNode,
    ContentBlock,
    CustomEmojiNode,
    FileBlock,
    LocationBlock,
    MentionNode,
    TextBlock,
    TextNode,
    UnknownNode,
)

__all__ = ["escape_markup", "plain_text"]

_FILE_SIGNS: Final = {"video": "🎥", "image": "📷", "audio": "🎧"}


def plain_text(content: Iterable[ContentBlock]) -> str:
    """
    Show blocks as text without markup, the way TalkJS's SDK does it for notifications.

    Text stands as it is, points of a list get "- ", mentions "@", files a sign and their name,
    voice messages their length, places a sign. Blocks are parted by an empty line. Unknown blocks
    show nothing; unknown nodes show the text in them.
    """
    return "\n\n".join(map(_block, content))


def _block(block: ContentBlock) -> str:
    if isinstance(block, TextBlock):
        return _nodes(block.children)
    if isinstance(block, LocationBlock):
        return "📍"
    if not isinstance(block, FileBlock):
        return ""
    if block.subtype == "voice":
        return "🎙️" if block.duration is None else f"🎙️ ({_minutes(block.duration)})"
    sign = _FILE_SIGNS.get(block.subtype or "", "📎")
    return f"{sign} {_file_name(block)}"


def _nodes(nodes: Iterable[TextNode]) -> str:
    return "".join(map(_node, nodes))


def _node(node: TextNode) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, UnknownNode):
        return _unknown(node)
    if isinstance(node, MentionNode):
        return f"@{node.text}"
    if isinstance(node, CodeSpanNode | AutoLinkNode | CustomEmojiNode):
        return node.text
    return _in_list(node.type, _nodes(node.children))


def _unknown(node: UnknownNode) -> str:
    """Older data spells types in lower case; new types have `text` or `children` (documented)."""
    text = node.data.get("text")
    if isinstance(text, str):
        return text
    try:
        children = TextBlock.from_wire({"children": node.data.get("children")}).children
        return _in_list(node.type, _nodes(children))
    except (DecodeError, RecursionError):
        return ""


def _in_list(kind: str, text: str) -> str:
    signs = {"bulletlist": f"\n{text}", "bulletpoint": f"- {text}\n"}
    return signs.get(kind.lower(), text)


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def _file_name(block: FileBlock) -> str:
    """The last segment of the URL, as in the SDK. Names are percent-encoded, some of them twice."""
    if block.url is None:
        return block.filename or ""
    url = block.url.replace("%2F", "/")
    segment = _LAST_SEGMENT.fullmatch(url)
    name = _decoded(segment[1] if segment else url)
    return _decoded(name.replace("+", "%20"), name) if _ESCAPE.search(name) else name


_LAST_SEGMENT: Final = re.compile(r".*?/([^/]+?)(?:\?.*)?")
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")


def _decoded(text: str, otherwise: str | None = None) -> str:
    """Decode percent-encoding; what is not well encoded stays as it is."""
    fallback = text if otherwise is None else otherwise
    if _BROKEN_ESCAPE.search(text):
        return fallback
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return fallback


_JOINER: Final = "\u2060"
_MARK: Final = re.compile(
    # Left alone: addresses, which TalkJS takes whole, and marks with space on both sides.
    r"https?://[A-Za-z0-9](?:[^\s<>*~`]*[^\s<>*~`.,;:!?)'\"])?"
    r"|(?<=[ \t])[*_~](?=[ \t])"
    # A sign that begins a list, at the beginning of any line that Python or JavaScript knows; at
    # the end, too, since a blank may come behind the words.
    r"|(?P<wrap>(?:^|(?<=[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]))[ \t]*[-+*](?=\s|\Z)"
    # Marks that are not inside of a word.
    r"|(?<![^\W_])[*_~]|[*_~](?![^\W_])|`)"
)
_ANGLES: Final = str.maketrans("<>|", "‹›¦")  # noqa: RUF001 - that they look alike is the point


def escape_markup(text: str) -> str:
    """
    Change a user's words so that TalkJS does not read them as markup.

    Two ways keep words as they are. A message that is nothing but a user's words needs none of
    this: send it as `content=[TextBlock(children=(words,))]`, which is never parsed, whatever is in
    it; choose that wherever you can. Use this function where words go into a larger text, an edit,
    an import or a subject, which have no blocks.

    TalkJS has no escape character. So marks that could begin or end bold, italic, struck-through
    or code text, and signs that could begin a list, are wrapped in word joiners (U+2060), which
    are not seen: TalkJS leaves marks within a word alone (documented). `<`, `>` and `|`, which make
    links and action buttons, become the look-alikes `‹`, `›` and `¦`. Marks between letters, as in
    `snake_case`, and between spaces, as in `2 * 3`, stay. So do bare web and mail addresses, which
    TalkJS makes clickable by itself, and emoji names such as `:cat:`.

    Raises:
        ConfigurationError: *text* is no text.

    Source: the rules for marks are documented. That a word joiner counts as part of a word is
    inferred, and how the server parses `<...|...>` is not known, which is why no such sign is left.
    """  # noqa: RUF002 - the look-alikes have to be shown
    if not isinstance(text, str):
        raise ConfigurationError("text", f"must be text (str), not {type(text).__name__}.")
    # The look-alikes come last: an address ends where the sign stands.
    return _MARK.sub(_escaped, text).translate(_ANGLES)


def _escaped(match: re.Match[str]) -> str:
    return f"{_JOINER}{match[0]}{_JOINER}" if match["wrap"] else match[0]
