"""
TalkJS's message markup, turned into text nodes.

`*bold*`, `_italic_`, `~strike~`, `` `code` ``, `- ` bullet lists, `<url>`, `<url|label>`,
`<actionbutton:name?key=value|Label>`, `<actionlink:name?key=value|Label>`; bare web addresses
become links as well. Seen in official examples and in the JavaScript SDK. How delimiters inside
words and unbalanced ones are read is not documented; here they stay text, as in most chats. Marks
count at the boundaries of a word only (documented), so those within words, addresses and between
spaces end nothing; a word joiner (U+2060) is part of the word that it touches (inferred from its
name).
"""

import re
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Node", "parse", "plain"]

Node = str | dict[str, Any]

_STYLES = {"*": "bold", "_": "italic", "~": "strikethrough"}
_BARE = r"https?://[^\s<>*~`]*[^\s<>*~`.,;:!?)'\"]"
# A mark that neither opens nor closes: within a word, or between spaces.
_IDLE = r"(?<=[\w\u2060])(?P=style)(?=[\w\u2060])|(?<=\s)(?P=style)(?=\s)"
_TOKENS = re.compile(
    r"(?<![\w\u2060])`(?P<code>[^`\n]+)`(?![\w\u2060])"
    r"|<(?P<action>actionbutton|actionlink):(?P<name>[^|>?\s]+)(?:\?(?P<query>[^|>]*))?"
    r"\|(?P<action_label>[^>\n]+)>"
    r"|<(?P<url>(?:https?://|mailto:|tel:)[^|>\s]+)(?:\|(?P<label>[^>\n]+))?>"
    rf"|(?P<bare>{_BARE})"
    r"|(?<![\w\u2060])(?P<style>[*_~])(?=\S)"
    rf"(?P<styled>(?:(?>{_BARE})|(?!{_BARE})(?:(?!(?P=style)).|{_IDLE}))+?)"
    r"(?<=\S)(?P=style)(?![\w\u2060])"
)
_SPECIAL = re.compile(r"[*_~`<]|^- |://", re.MULTILINE)
_ACTIONS = {"actionbutton": "actionButton", "actionlink": "actionLink"}


def parse(text: str) -> list[Node]:
    """Return the text nodes that a message's text stands for."""
    if not _SPECIAL.search(text):
        return [text]
    nodes: list[Node] = []
    bullets: list[Node] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("- "):
            point = line[2:].rstrip("\n")
            bullets.append({"type": "bulletPoint", "children": _inline(point)})
            continue
        _end_list(nodes, bullets)
        nodes.extend(_inline(line))
    _end_list(nodes, bullets)
    return _joined(nodes)


def plain(nodes: list[Any]) -> str:
    """Return the text of text nodes without their markup."""
    return "".join(
        node if isinstance(node, str) else node.get("text") or plain(node.get("children", []))
        for node in nodes
    )


def _end_list(nodes: list[Node], bullets: list[Node]) -> None:
    if bullets:
        nodes.append({"type": "bulletList", "children": list(bullets)})
        bullets.clear()


def _inline(text: str) -> list[Node]:
    nodes: list[Node] = []
    end = 0
    for match in _TOKENS.finditer(text):
        nodes.append(text[end : match.start()])
        nodes.append(_node(match))
        end = match.end()
    nodes.append(text[end:])
    return _joined(nodes)


def _node(match: re.Match[str]) -> Node:
    if match["code"] is not None:
        return {"type": "codeSpan", "text": match["code"]}
    if match["action"] is not None:
        return {
            "type": _ACTIONS[match["action"]],
            "action": match["name"],
            "params": dict(parse_qsl(match["query"] or "", keep_blank_values=True)),
            "children": _inline(match["action_label"]),
        }
    if match["label"] is not None:
        return {"type": "link", "url": match["url"], "children": _inline(match["label"])}
    url = match["url"] or match["bare"]
    if url is not None:
        return {"type": "autoLink", "url": url, "text": url}
    return {"type": _STYLES[match["style"]], "children": _inline(match["styled"])}


def _joined(nodes: list[Node]) -> list[Node]:
    """Join neighbouring texts and leave out empty ones."""
    joined: list[Node] = []
    for node in nodes:
        if isinstance(node, str) and joined and isinstance(joined[-1], str):
            joined[-1] += node
        elif node != "":
            joined.append(node)
    return joined
