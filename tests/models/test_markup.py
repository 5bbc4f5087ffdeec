"""Plain text as TalkJS's SDK shows it, and words that must not become markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from talkjs_async.models._parts import read_block
from talkjs_async.models.content import ContentBlock
from talkjs_async.models.markup import escape_markup, plain_text


def text(*children: object) -> ContentBlock:
    """A text block."""
    return read_block({"type": "text", "children": list(children)})


def file(**fields: object) -> ContentBlock:
    """A file block."""
    return read_block({"type": "file", "fileToken": "tok", "url": "https://x/a%20b.bin"} | fields)


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        (text("a ", {"type": "bold", "children": [{"type": "italic", "children": ["b"]}]}), "a b"),
        (text({"type": "link", "url": "https://x", "children": ["label"]}), "label"),
        (text({"type": "autoLink", "url": "https://x", "text": "x"}), "x"),
        (text({"type": "codeSpan", "text": "x = 1"}), "x = 1"),
        (text({"type": "mention", "id": "bob", "text": "Bob"}), "@Bob"),
        (text({"type": "customEmoji", "text": ":cat:"}), ":cat:"),
        (text({"type": "actionButton", "action": "a", "params": {}, "children": ["Go"]}), "Go"),
        (
            text(
                "list:",
                {
                    "type": "bulletList",
                    "children": [
                        {"type": "bulletPoint", "children": ["one"]},
                        {"type": "bulletPoint", "children": ["two"]},
                    ],
                },
            ),
            "list:\n- one\n- two\n",
        ),
        (
            text({"type": "bulletlist", "children": [{"type": "bulletpoint", "children": ["x"]}]}),
            "\n- x\n",
        ),
        (text({"type": "blockquote", "children": ["quoted"]}), "quoted"),
        (text({"type": "codeblock", "text": "code"}), "code"),
        (text({"type": "new", "children": [3]}, "!"), "!"),
        (text({"type": "new"}, "!"), "!"),
        (file(), "📎 a b.bin"),
        (file(subtype="image"), "📷 a b.bin"),
        (file(subtype="video"), "🎥 a b.bin"),
        (file(subtype="audio"), "🎧 a b.bin"),
        (file(subtype="voice"), "🎙️"),
        (file(subtype="voice", duration=65.9), "🎙️ (1:05)"),
        (file(subtype="voice", duration=3600), "🎙️ (60:00)"),
        (file(url="https://x/dir%2Fa%2520b.pdf?sig=1/2"), "📎 a b.pdf"),
        (file(url="https://x/a%252Bb+c.txt"), "📎 a+b c.txt"),
        (file(url="https://x/100%25+c.txt"), "📎 100%+c.txt"),
        (file(url="https://x/%25zz%2541"), "📎 %zz%41"),
        (file(url="https://x/100%.txt"), "📎 100%.txt"),
        (file(url="https://x/%FF.txt"), "📎 %FF.txt"),
        (file(url="https://x/dir/"), "📎 https://x/dir/"),
        (file(url="nameless"), "📎 nameless"),
        (file(url=None, filename="named.pdf"), "📎 named.pdf"),
        (file(url=None), "📎 "),
        (read_block({"type": "location", "latitude": 1, "longitude": 2}), "📍"),
        (read_block({"type": "poll"}), ""),
    ],
)
def test_a_block_is_shown_as_the_sdk_shows_it(block: ContentBlock, shown: str) -> None:
    assert shown == plain_text([block])


def test_blocks_are_parted_by_an_empty_line() -> None:
    assert "a\n\nb" == plain_text([text("a"), text("b")])


# The rules of TalkJS's SDK, in our own words: a mark opens after a space, a sign or at the start,
# and before something else than a space or the same mark; it closes the other way round.
SIGNS = r"\s!-/:-@\[-`{-~‘’“”…–—«»¡¿§¶·•"
EMPHASIS = re.compile(
    "|".join(
        rf"(?:(?<=[{SIGNS}])|^){mark}(?:[^\s{mark}]|[^\s{mark}].*?[^\s{mark}]){mark}(?=[{SIGNS}]|$)"
        for mark in (r"\*", "_", "~")
    )
)
MARKUP = re.compile(
    rf"{EMPHASIS.pattern}|```.+?```|<[^>]*\|[^>]*>|^[ \t]*[-*+]\s", re.DOTALL | re.MULTILINE
)

WORDS = st.text(alphabet="ab é*_~`<>|-+ \n\t.😀", max_size=30) | st.text(max_size=30)


@pytest.mark.parametrize(
    "words",
    [
        "*bold*",
        "_italic_",
        "~struck~",
        "*_both_*",
        "say *it* loud",
        "```code```",
        "<https://evil.example|bank>",
        "<actionbutton:pay?n=1|See offer>",
        "- point\n* point\n+ point",
    ],
)
def test_markup_is_recognised_and_no_longer_after_escaping(words: str) -> None:
    assert MARKUP.search(words)

    assert not MARKUP.search(escape_markup(words))


@given(WORDS)
@example("a*")
@example("\u2060*a*")
def test_escaped_words_hold_no_markup(words: str) -> None:
    assert not MARKUP.search(escape_markup(words))


@given(WORDS, WORDS)
def test_escaped_words_do_not_break_the_markup_around_them(name: str, label: str) -> None:
    message = f"*{escape_markup(name)}* <https://example.com|{escape_markup(label)}>"

    assert message.count("<") == 1
    assert message.count(">") == 1
    assert message.count("|") == 1


@given(WORDS, WORDS)
def test_two_escaped_pieces_side_by_side_hold_no_emphasis(left: str, right: str) -> None:
    assert not EMPHASIS.search(escape_markup(left) + escape_markup(right))


@pytest.mark.parametrize(
    "words",
    [
        "plain",
        "snake_case and 2*3*4",
        "https://example.com/a_b~c",
        "a-b",
        "well - yes",
        ":cat:",
        "é_à",
    ],
)
def test_words_without_markup_stay_as_they_are(words: str) -> None:
    assert words == escape_markup(words)
