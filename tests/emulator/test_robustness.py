"""Whatever comes in, an answer goes out."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Limits, Switches
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator.admission import admit
from talkjs_async.emulator.routes import ROUTES, Route

# Words that mean something somewhere, so that the random bodies get behind the first check.
WORDS = (  # noqa: SIM905  # sixty lines otherwise
    "alice bob chat id name email custom participants subject type sender text UserMessage "
    "SystemMessage location content children file fileToken latitude longitude idempotencyKey "
    "access notify ReadWrite None MentionsOnly timestamp readBy readUntil sent channels sms "
    "recipients userIds expandUser GET PUT /users /batch api_version base files bold mention "
    "referencedMessageId attachmentToken pushTokens welcomeMessages defaultLocale"
).split()

texts = st.sampled_from(WORDS) | st.text(max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
bodies = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)
switches = st.builds(
    Switches, **{name: st.sampled_from(choices) for name, choices in Switches.choices().items()}
)
ALLOWED = {200, 400, 403, 404, 409, 429}


def call(emulator: Emulator, method: str, path: str, body: Any, query: str = "") -> int:
    prefix = "/v1" if path.startswith("/anonymousAccounts") else f"/v1/{emulator.app_id}"
    headers = {
        b"authorization": f"Bearer {emulator.secret_key}".encode(),
        b"content-type": b"application/json",
    }
    content = json.dumps(body).encode()
    request = Request(method, prefix + path, query, headers, content)
    return handle(emulator, admit(emulator, request)).status


def filled(chosen: Switches) -> Emulator:
    emulator = Emulator(limits=Limits.off(), switches=chosen)
    call(emulator, "PUT", "/users", {"alice": {"name": "Alice"}, "bob": {"name": "Bob"}})
    call(emulator, "PUT", "/conversations/chat", {"participants": ["alice", "bob"]})
    emulator.simulate_user("alice").say("chat", "hi")
    emulator.simulate_user("alice").come_online()
    emulator.webhooks.to("http://nowhere")
    return emulator


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
@given(data=st.data(), body=bodies, chosen=switches)
@settings(max_examples=40, deadline=None)
def test_no_body_breaks_a_route(
    route: Route, data: st.DataObject, body: object, chosen: Switches
) -> None:
    emulator = filled(chosen)
    known = {
        "{user}": "alice",
        "{conversation}": "chat",
        "{message}": emulator.commits.of("message.sent")[0].message_id or "",
        "{emoji}": "👍",
    }
    path = route.path
    for name in [part for part in route.path.split("/") if part.startswith("{")]:
        id_ = data.draw(st.just(known.get(name, "x")) | texts.filter(bool))
        path = path.replace(name, quote(id_, safe="", errors="replace"), 1)

    status = call(emulator, route.method, path, body)

    # 415 and 501 cannot happen: the type is declared, and the route is there.
    assert status in ALLOWED
    assert emulator.requests[-1].status == status


@given(
    name=st.sampled_from(
        ("limit", "startingAfter", "orderBy", "offsetTs", "lastMessageBefore", "unreadsOnly")
    ),
    value=st.text(max_size=30),
    chosen=switches,
)
@settings(max_examples=60, deadline=None)
def test_no_query_breaks_a_list(name: str, value: str, chosen: Switches) -> None:
    emulator = filled(chosen)
    query = f"{name}={quote(value, errors='replace')}"

    for path in ("/users", "/conversations", "/users/bob/conversations"):
        assert call(emulator, "GET", path, {}, query) in ALLOWED


@given(content=st.binary(max_size=60), kind=st.sampled_from(("application/json", "text/plain", "")))
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_the_server(content: bytes, kind: str) -> None:
    emulator = Emulator(limits=Limits.off())
    headers = {
        b"authorization": f"Bearer {emulator.secret_key}".encode(),
        b"content-type": kind.encode(),
    }
    for method, path in (("PUT", "/users"), ("POST", "/batch"), ("POST", "/files")):
        request = Request(method, f"/v1/emulator{path}", "", headers, content)
        assert handle(emulator, admit(emulator, request)).status in ALLOWED
