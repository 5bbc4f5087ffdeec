"""Blocks and text trees: read, written, and kept when they are unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from talkjs_async.errors import DecodeError
from talkjs_async.models._parts import read_block
from talkjs_async.models.content import (
    ActionNode,
    AutoLinkNode,
    BulletListNode,
    BulletPointNode,
    CodeSpanNode,
    CustomEmojiNode,
    FileBlock,
    LinkNode,
    LocationBlock,
    MarkupNode,
    MentionNode,
    TextBlock,
    TextNode,
    UnknownBlock,
    UnknownNode,
)
from talkjs_async.models.markup import plain_text
from tests.models.samples import JSON, MANGLED

NODES: list[tuple[Any, TextNode]] = [
    ("text", "text"),
    ({"type": "bold", "children": ["a"]}, MarkupNode(type="bold", children=("a",))),
    ({"type": "italic", "children": []}, MarkupNode(type="italic", children=())),
    ({"type": "strikethrough", "children": []}, MarkupNode(type="strikethrough", children=())),
    (
        {"type": "bulletList", "children": [{"type": "bulletPoint", "children": ["a"]}]},
        BulletListNode(children=(BulletPointNode(children=("a",)),)),
    ),
    ({"type": "codeSpan", "text": "a"}, CodeSpanNode(text="a")),
    (
        {"type": "link", "url": "https://example.com", "children": ["a"]},
        LinkNode(url="https://example.com", children=("a",)),
    ),
    (
        {"type": "autoLink", "url": "https://example.com", "text": "example.com"},
        AutoLinkNode(url="https://example.com", text="example.com"),
    ),
    (
        {"type": "actionLink", "action": "buy", "params": {"n": "1"}, "children": ["Buy"]},
        ActionNode(type="actionLink", action="buy", params={"n": "1"}, children=("Buy",)),
    ),
    (
        {"type": "actionButton", "action": "buy", "params": {}, "children": []},
        ActionNode(type="actionButton", action="buy", children=()),
    ),
    ({"type": "customEmoji", "text": ":cat:"}, CustomEmojiNode(text=":cat:")),
    ({"type": "mention", "id": "bob", "text": "Bob"}, MentionNode(id="bob", text="Bob")),
    (
        {"type": "spoiler", "children": ["a"]},
        UnknownNode(type="spoiler", data={"type": "spoiler", "children": ["a"]}),
    ),
]


@pytest.mark.parametrize(("wire", "node"), NODES)
def test_a_node_is_read_and_written_again(wire: Any, node: TextNode) -> None:
    block = {"type": "text", "children": [wire]}

    read = TextBlock.from_wire(block)

    assert (node,) == read.children
    assert block == read.to_wire()


@pytest.mark.parametrize("wire", [None, 3, ["a"], {}, {"type": 1}, {"type": "bold", "children": 1}])
def test_what_is_no_node_is_our_error(wire: Any) -> None:
    with pytest.raises(DecodeError):
        TextBlock.from_wire({"type": "text", "children": [wire]})


@pytest.mark.parametrize(
    ("wire", "block"),
    [
        (
            {"type": "text", "children": ["a"], "new": 1},
            TextBlock(children=("a",), extra={"new": 1}),
        ),
        (
            {
                "type": "file",
                "subtype": "image",
                "fileToken": "tok",
                "url": "https://example.com/a.png",
                "size": 3,
                "filename": "a.png",
                "width": 10,
                "height": 20.5,
            },
            FileBlock(
                subtype="image",
                file_token="tok",
                url="https://example.com/a.png",
                size=3,
                filename="a.png",
                width=10,
                height=20.5,
            ),
        ),
        (
            {"type": "location", "latitude": 1.5, "longitude": 2},
            LocationBlock(latitude=1.5, longitude=2),
        ),
        ({"type": "poll", "q": "?"}, UnknownBlock(type="poll", data={"type": "poll", "q": "?"})),
        (
            {"type": "text", "children": [3]},
            UnknownBlock(type="text", data={"type": "text", "children": [3]}),
        ),
        ({"children": []}, UnknownBlock(type="", data={"children": []})),
        ("text", UnknownBlock(type="", data="text")),
    ],
)
def test_a_block_is_read_and_written_again(wire: Any, block: Any) -> None:
    read = read_block(wire)

    assert block == read
    assert wire == read.to_wire()


def nested(kind: str, levels: int) -> Any:
    """A text block with one node in another."""
    opening = f'{{"type": "{kind}", "children": ['
    return json.loads(f'{{"type": "text", "children": [{opening * levels}{"]}" * levels}]}}')


@pytest.mark.parametrize("kind", ["bold", "spoiler"])
@pytest.mark.parametrize("levels", [100, 400])
def test_content_of_any_depth_is_read_without_an_error(kind: str, levels: int) -> None:
    block = read_block(nested(kind, levels))

    assert "" == plain_text([block])


def test_content_that_is_deeper_than_python_can_follow_is_kept_unread() -> None:
    node: Any = "deep"
    for _ in range(5000):
        node = {"type": "bold", "children": [node]}
    wire = {"type": "text", "children": [node]}

    block = read_block(wire)

    assert isinstance(block, UnknownBlock)
    assert block.data is wire
    assert "" == plain_text([block])


@given(JSON | MANGLED)
def test_anything_is_a_block_with_a_plain_text(wire: Any) -> None:
    block = read_block(wire)

    assert isinstance(plain_text([block]), str)
