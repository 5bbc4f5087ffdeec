"""Plain text as TalkJS's SDK shows it, and words that must not become markup."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkjs_async import AsyncTalkJS, ConfigurationError, TextBlock
from talkjs_async.emulator import Emulator
from talkjs_async.emulator.markup import parse, plain
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


LOOK_ALIKES = str.maketrans("‹›¦", "<>|", "\u2060")


def shown_by_the_emulator(words: str) -> tuple[list[Any], str]:
    """The nodes that are markup, and the text that a reader sees."""
    nodes = parse(words)
    # An address that becomes a link shows itself.
    markup = [node for node in nodes if not isinstance(node, str) and node["type"] != "autoLink"]
    return markup, plain(nodes)


@settings(max_examples=10 * settings().max_examples, deadline=None)
@given(WORDS | st.text(alphabet="*_~`- htps:/.x<>|\n\r\u2060\x85", max_size=20))
@example("*bold*")
@example("2 * 3 * 4")
@example("a\r- b")
@example("_https://x.y/_z_ *https://x.y/*")
@example("<https://x.y|*bank*>")
@example("```code```")
def test_the_emulator_shows_escaped_words_as_they_were(words: str) -> None:
    markup, shown = shown_by_the_emulator(escape_markup(words))

    assert [] == markup
    assert words.translate(LOOK_ALIKES) == shown.translate(LOOK_ALIKES)


PIECES = [
    *["https://x.y", "http://a_b*c", "HTTPS://X.Y/_a_", "mailto:a@b.c", "a@b_c_.de", "<https://x|"],
    *[
        "<actionbutton:a|",
        "<actionlink:n?k=v|L>",
        "- ",
        "+ ",
        ":cat:",
        "@bob",
        "```",
        "*_~",
        "2 * 3",
    ],
    *["\u2060", "\u200b", "\u00a0", "\u3000", "\ufeff", "\ud83d", "\\*", "a*b", "_a_", "é"],
]
LINES = st.lists(st.sampled_from(PIECES) | st.text("ab*_~`<>|-+ .:/@", max_size=3), min_size=1)


def kinds_of(nodes: list[Any]) -> list[str]:
    """The types of all nodes that are markup, from the outside to the inside."""
    found = []
    for node in nodes:
        if not isinstance(node, str) and node["type"] != "autoLink":
            found += [node["type"], *kinds_of(node.get("children", []))]
    return found


@settings(max_examples=5 * settings().max_examples, deadline=None)
@given(
    around=st.sampled_from(
        [
            ("Hello *", "* and bye", ["bold"]),
            ("_", "_", ["italic"]),
            ("~", "~", ["strikethrough"]),
            ("*_", "_* :-)", ["bold", "italic"]),
            ("<https://example.com|", ">", ["link"]),
            ("<actionbutton:go?a=b|", ">", ["actionButton"]),
            ("- ", "", ["bulletList", "bulletPoint"]),
            ("", " - wrote the user.", []),
            ("Hello,\n", "\n\nBye", []),
        ]
    ),
    words=LINES.map("".join).map(str.strip),
)
@example(around=("", " - wrote the user.", []), words="Eggs\n-")
def test_the_emulator_shows_escaped_words_in_the_midst_of_markup(
    around: tuple[str, str, list[str]], words: str
) -> None:
    left, right, kinds = around
    # An address takes whatever touches its end.
    if not words or (right[:1] == "_" and "://" in words.rsplit(maxsplit=1)[-1]):
        return

    nodes = parse(f"{left}{escape_markup(words)}{right}")

    assert kinds == kinds_of(nodes)
    assert words.translate(LOOK_ALIKES) in plain(nodes).translate(LOOK_ALIKES)


@pytest.mark.parametrize("words", ["*bold*", "_it_", "~s~", "`code`", "- point"])
def test_the_emulator_reads_the_same_words_as_markup_without_escaping(words: str) -> None:
    assert shown_by_the_emulator(words)[0]


@pytest.mark.anyio
async def test_escaped_words_stay_words_in_messages_and_in_what_comes_back() -> None:
    emulator = Emulator()
    words = "*a* _b_ ~c~ `d` <https://x.y|z>"
    async with AsyncTalkJS(**emulator.options) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.conversations.upsert("c", participants=["alice"])
        await talkjs.messages.send("c", sender="alice", text=f"Said: {escape_markup(words)}")
        await talkjs.messages.send("c", sender="alice", content=[TextBlock(children=(words,))])
        block, text_message = await talkjs.messages.list("c").collect()

    assert (TextBlock(children=(words,)),) == block.content
    assert f"Said: {words}" == text_message.plain_text().translate(LOOK_ALIKES)


@pytest.mark.parametrize("words", [None, 7, b"x"])
def test_what_is_no_text_is_not_escaped(words: Any) -> None:
    with pytest.raises(ConfigurationError, match="text: must be text"):
        escape_markup(words)


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
        "2 * 3 * 4",
        "see https://example.com/_a_/b_ for more",
        ":cat:",
        "é_à",
    ],
)
def test_words_without_markup_stay_as_they_are(words: str) -> None:
    assert words == escape_markup(words)
