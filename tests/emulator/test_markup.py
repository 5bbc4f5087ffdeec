"""Message markup becomes text nodes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator.markup import parse, plain


def bold(*children: Any) -> dict[str, Any]:
    return {"type": "bold", "children": list(children)}


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("plain", ["plain"]),
        ("a *b* c", ["a ", bold("b"), " c"]),
        ("*a _b_*", [bold("a ", {"type": "italic", "children": ["b"]})]),
        ("~gone~", [{"type": "strikethrough", "children": ["gone"]}]),
        ("`*x*`", [{"type": "codeSpan", "text": "*x*"}]),
        ("*2*3 is 2 * 3*", [bold("2*3 is 2 * 3")]),
        (
            "_see https://a.b/_c_/d now_",
            [
                {
                    "type": "italic",
                    "children": [
                        "see ",
                        {
                            "type": "autoLink",
                            "url": "https://a.b/_c_/d",
                            "text": "https://a.b/_c_/d",
                        },
                        " now",
                    ],
                }
            ],
        ),
        ("2*3*4 snake_case_name", ["2*3*4 snake_case_name"]),
        ("* not * bold", ["* not * bold"]),
        ("*open", ["*open"]),
        (
            "<https://a.b/c|here *now*>",
            [{"type": "link", "url": "https://a.b/c", "children": ["here ", bold("now")]}],
        ),
        (
            "see https://a.b/c_d_e.",
            [
                "see ",
                {"type": "autoLink", "url": "https://a.b/c_d_e", "text": "https://a.b/c_d_e"},
                ".",
            ],
        ),
        ("<tel:+31>", [{"type": "autoLink", "url": "tel:+31", "text": "tel:+31"}]),
        (
            "<actionbutton:pay?id=1&cur=|Pay>",
            [
                {
                    "type": "actionButton",
                    "action": "pay",
                    "params": {"id": "1", "cur": ""},
                    "children": ["Pay"],
                }
            ],
        ),
        (
            "<actionlink:more|More>",
            [{"type": "actionLink", "action": "more", "params": {}, "children": ["More"]}],
        ),
        ("a < b > c", ["a < b > c"]),
        (
            "list:\n- *one*\n- two\nend",
            [
                "list:\n",
                {
                    "type": "bulletList",
                    "children": [
                        {"type": "bulletPoint", "children": [bold("one")]},
                        {"type": "bulletPoint", "children": ["two"]},
                    ],
                },
                "end",
            ],
        ),
    ],
)
def test_markup_is_read(text: str, nodes: list[Any]) -> None:
    assert parse(text) == nodes


@given(text=st.text(alphabet="ab *_~`<>|-:/\n", max_size=40))
def test_any_text_can_be_read_and_no_letter_is_lost(text: str) -> None:
    nodes = parse(text)

    letters = [character for character in plain(nodes) if character in "ab"]
    links = "://" in text
    assert links or letters == [character for character in text if character in "ab"]


@given(text=st.text(alphabet=st.characters(exclude_characters="*_~`<-:"), min_size=1))
def test_text_without_markup_stays_one_node(text: str) -> None:
    assert parse(text) == [text]
