"""What is on the page, and that nothing on it can break it."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Limits, VirtualClock
from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import encode
from talkjs_async.emulator.admission import admit
from talkjs_async.emulator.ledger import line_of
from talkjs_async.emulator.page._document import document

HOSTILE = "\"'><script>alert(1)</script>&amp;{braces}"


class Tags(HTMLParser):
    """Counts elements and collects text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def call(emulator: Emulator, method: str, path: str, body: object) -> None:
    headers = {
        b"authorization": f"Bearer {emulator.secret_key}".encode(),
        b"content-type": b"application/json",
    }
    request = Request(method, f"/v1/{emulator.app_id}{path}", "", headers, encode(body))
    handle(emulator, admit(emulator, request))


@pytest.fixture
def example() -> Emulator:
    """An emulator with the page's own example."""
    emulator = Emulator(clock=VirtualClock())
    fill_with_demo(emulator)
    return emulator


def test_an_empty_emulator_has_a_page() -> None:
    page = Tags(document(Emulator(), None))

    assert "Nothing here yet" in page.text
    assert "No conversations yet" in page.text
    assert "No requests yet" in page.text
    assert "600 of 600 left, 9 per second" in page.text


def test_the_latest_conversation_is_shown_unless_another_is_asked_for(example: Emulator) -> None:
    call(example, "PUT", "/conversations/empty", {})

    assert "No participant to write as" in document(example, None)
    assert "Hi! Is it still for sale?" in document(example, "red-bicycle")
    assert "Nothing here yet" in document(example, "none")


def test_messages_are_shown_with_all_there_is_to_say(example: Emulator) -> None:
    conversation = example.main_app.conversations["red-bicycle"]
    (last,) = list(conversation.messages.walk(descending=True))[:1]
    message = f"/conversations/red-bicycle/messages/{last.id}"
    call(example, "PUT", message, {"text": "*No*, _sorry_\n- one\n- two `x` <https://a.b|link>"})
    call(example, "PUT", f"{message}/reactions/%F0%9F%91%8D/alice", {})
    where = {"type": "UserMessage", "sender": "alice", "location": [1, 2]}
    call(example, "POST", "/conversations/red-bicycle/messages", [where])
    example.simulate_user("alice").read("red-bicycle")
    example.simulate_user("alice").type_in("red-bicycle")

    page = Tags(document(example, None))

    assert "edited" in page.text
    assert "read by alice" in page.text
    assert "👍 1" in page.text
    assert "📍 1, 2" in page.text
    assert "Alice typing…" in page.text
    assert {"b", "i", "ul", "li", "code", "u"} <= set(page.tags)


def test_only_the_latest_of_many_are_shown(example: Emulator) -> None:
    example.limits = Limits.off()
    for number in range(120):
        example.simulate_user("alice").say("red-bicycle", f"message {number}.")

    page = document(example, None)

    assert "23 older messages" in page
    assert "message 119." in page
    assert "message 5." not in page
    assert "no limit" in page


def test_requests_faults_and_webhooks_are_shown(example: Emulator) -> None:
    example.faults.add("return-503", on="GET /users", first=2)
    example.faults.add("latency-1", p=0.5)
    example.webhooks.to("http://nowhere")
    call(example, "GET", "/users", None)
    call(example, "POST", "/batch", [[1, "GET", "/users/none"]])

    page = Tags(document(example, None))

    assert "1 fired, 1 to go" in page.text
    assert "POST /batch" in page.text
    assert "GET /users/none 404" in page.text
    assert "Nothing delivered yet" in page.text


@given(text=st.one_of(st.just(HOSTILE), st.text(min_size=1)))
@settings(max_examples=50, deadline=None)
def test_no_text_whatsoever_changes_the_page_s_structure(text: str) -> None:
    def shown(value: str) -> Tags:
        emulator = Emulator(limits=Limits.off(), app_id="a")
        app = emulator.main_app
        call(emulator, "PUT", "/users/u", {"name": value})
        call(emulator, "PUT", "/conversations/c", {"participants": ["u"], "subject": value})
        emulator.simulate_user("u").type_in("c")
        item = {
            "type": "UserMessage",
            "sender": "u",
            "content": [{"type": "text", "children": [value]}],
        }
        call(emulator, "POST", "/conversations/c/messages", [item])
        assert len(app.conversations["c"].messages) == 1
        return Tags(document(emulator, "c"))

    plain, hostile = shown("x"), shown(text)

    assert plain.tags == hostile.tags
    assert plain.attributes == hostile.attributes


def test_marks_of_the_ledger_stand_at_requests_and_switches() -> None:
    emulator = Emulator()
    call(emulator, "GET", "/users", None)

    text = Tags(document(emulator, None)).text

    assert "users.list documented Introduction, Listing data" in text
    for switch in emulator.switches.table():
        assert f"{switch.name} {line_of('switch', switch.name).known}" in text
