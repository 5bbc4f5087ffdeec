"""The control API: what it does, who may ask, what it refuses."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import EVENT_TYPES, Emulator, Limits, RealClock, Switches
from talkjs_async.emulator.control import OPERATIONS
from talkjs_async.emulator.faults import FAULT_TYPES
from talkjs_async.emulator.ledger import ledger
from tests.emulator.inbox import Inbox

pytestmark = pytest.mark.anyio

CHANGE = {"X-Emulator": "1"}


@pytest.fixture
async def control(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client that comes from this machine."""
    transport = httpx.ASGITransport(app=emulator.asgi)
    base = "http://localhost:1/_emulator/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=CHANGE) as client:
        yield client


async def seeded(control: httpx.AsyncClient) -> None:
    assert (await control.post("/seed", json={"name": "demo"})).status_code == 200


async def test_a_change_needs_a_header_that_no_foreign_form_can_send(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    del control.headers["X-Emulator"]

    refused = await control.post("/seed", json={"name": "demo"})
    looked = await control.get("/requests")

    assert (refused.status_code, looked.status_code) == (403, 200)
    assert len(emulator.commits) == 0
    assert "access-control-allow-origin" not in looked.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/reset", 405),
        ("OPTIONS", "/reset", 405),
        ("DELETE", "/faults/1", 404),
        ("POST", "/deliveries/1/resend", 404),
    ],
)
async def test_what_is_not_there_is_said(
    control: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await control.request(method, path)

    assert status == answer.status_code
    assert answer.json()["reasons"][0]


async def test_users_do_what_they_do_in_a_chat(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    await seeded(control)
    place = {"conversation": "red-bicycle"}

    said = await control.post("/users/sebastian/say", json={"text": "Hello", **place})
    assert emulator.commits[-1].message_id == said.json()["id"]
    assert (await control.post("/users/sebastian/type", json=place)).status_code == 200
    assert list(emulator.main_app.sessions) == ["sebastian"]
    await control.delete("/users/sebastian/online")
    assert list(emulator.main_app.sessions) == []
    online = await control.post("/users/sebastian/online", json=place)
    assert online.json()["session"].startswith("ses_")
    await control.post("/users/sebastian/read", json=place)
    assert emulator.commits[-1].kind == "conversation.read"

    wrong = await control.post("/users/sebastian/read", json={"conversation": "none"})
    assert (wrong.status_code, wrong.json()["errorCode"]) == (404, "CONVERSATION_NOT_FOUND")


async def test_faults_are_planned_counted_and_forgotten(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    planned = await control.post("/faults", json={"id": "return-503", "on": "GET", "nth": [1, 2]})
    assert {
        "number": 1,
        "id": "return-503",
        "on": "GET",
        "fired": 0,
        "seen": 0,
        "left": 2,
    } == planned.json()
    assert [planned.json()] == (await control.get("/faults")).json()
    types = (await control.get("/fault-types")).json()
    assert [fault.id for fault in FAULT_TYPES] == [fault["id"] for fault in types]

    assert [] == (await control.delete("/faults/1")).json()
    await control.post("/faults", json={"id": "garbage", "first": 1})
    assert [] == (await control.delete("/faults")).json()
    assert len(emulator.faults) == 0


async def test_the_clock_is_turned_and_set_back(control: httpx.AsyncClient) -> None:
    began = (await control.get("/clock")).json()["now"]

    turned = (await control.post("/clock", json={"advance": 60})).json()["now"]
    kept = (await control.post("/reset")).json()["now"]
    back = (await control.post("/reset", json={"clock": True})).json()["now"]

    assert [60, 60, 0] == [moment - began for moment in (turned, kept, back)]


async def test_every_behaviour_is_listed(control: httpx.AsyncClient) -> None:
    listed = (await control.get("/behaviour")).json()

    assert [line.to_json() for line in ledger()] == listed


async def test_limits_and_switches_are_changed_and_set_back(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    limits = (await control.patch("/limits", json={"burst": 2, "retry_after": "date"})).json()
    switches = (await control.patch("/switches", json={"not_a_participant": 400})).json()

    assert limits == (await control.get("/limits")).json()
    assert (emulator.limits.burst, emulator.limits.rate) == (2, 9)
    assert switches == (await control.get("/switches")).json()
    assert emulator.switches.not_a_participant == 400

    await control.post("/reset", json={"settings": True})
    assert (Limits(), Switches.from_environment()) == (emulator.limits, emulator.switches)


async def test_the_logs_are_for_programs(emulator: Emulator, control: httpx.AsyncClient) -> None:
    emulator.webhooks.to(Inbox(400), path="/hook", events=["message.sent"])
    await seeded(control)
    await emulator.webhooks.settle()

    requests = (await control.get("/requests")).json()
    messages = (await control.get("/requests", params={"on": "POST /**"})).json()
    commits = (await control.get("/commits", params={"kind": "message.sent"})).json()
    deliveries = (await control.get("/deliveries")).json()
    later = (await control.get("/deliveries", params={"since": 2})).json()

    assert ["users.upsert_many", "conversations.upsert", "messages.send"] == [
        entry["operation"] for entry in requests
    ]
    assert requests[2:] == messages
    assert 3 == len(commits)
    assert [(1, 400), (2, 200), (3, 200), (4, 200)] == [
        (entry["number"], entry["status"]) for entry in deliveries
    ]
    assert "message.sent" == json.loads(deliveries[0]["body"])["type"]
    assert deliveries[2:] == later
    assert emulator.secret_key not in json.dumps([requests, commits, deliveries])


async def test_webhooks_are_chosen_triggered_spoilt_and_sent_again(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox, path="/hook", events=["message.sent"])
    added = {"url": "http://127.0.0.1:1/", "events": ["user.created"]}
    assert 200 == (await control.post("/webhooks", json=added)).status_code
    assert [
        {"target": "asgi:/hook", "events": ["message.sent"]},
        {"target": "http://127.0.0.1:1/", "events": ["user.created"]},
    ] == (await control.get("/webhooks")).json()

    event = {"type": "message.sent", "set": {"message.text": "Hi", "message.custom.a": "b"}}
    triggered = (await control.post("/events", json=event)).json()
    (pending,) = (await control.get("/events/pending")).json()
    assert (pending["id"], pending["data"]["message"]["text"]) == (triggered["id"], "Hi")
    assert pending["data"]["sender"]["name"] == "Alice"
    spoilt = {"tamper": "signature", "duplicate": True, "reorder": True}
    assert 2 == len((await control.post("/events/spoil", json=spoilt)).json())

    settled = (await control.post("/settle", json={"timeout": 5})).json()
    resent = (await control.post("/deliveries/1/resend")).json()
    await control.post("/settle")

    assert {"settled": True, "deliveries": 2} == settled
    assert {"receivers": 1} == resent
    assert [triggered["id"]] * 3 == [event["id"] for event in inbox.events]
    signatures = [headers["x-talkjs-signature"] for headers, _ in inbox.received]
    assert signatures[0] == signatures[1] != signatures[2]
    assert [] == (await control.delete("/webhooks")).json()


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_every_event_has_an_example(
    emulator: Emulator, control: httpx.AsyncClient, event_type: str
) -> None:
    inbox = Inbox()
    emulator.webhooks.to(inbox)

    await control.post("/events", json={"type": event_type})
    await emulator.webhooks.settle()

    (event,) = inbox.events
    assert event_type == event["type"]
    assert event["data"]
    assert emulator.requests.total == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "/reset", [], "must be a JSON object"),
        ("POST", "/reset", {"clock": 1}, "clock must be boolean, not 1"),
        ("POST", "/reset", {"everything": True}, "no argument 'everything' here; there are: clock"),
        ("POST", "/seed", {"name": "nope"}, "name must be one of ['demo']"),
        ("POST", "/users/alice/say", {}, "conversation is required: The conversation's ID."),
        ("POST", "/users/alice/say", {"conversation": "c", "text": ""}, "must not be empty"),
        ("POST", "/faults", {"id": "explode"}, "There is no fault 'explode'. There are: return"),
        ("POST", "/faults", {"id": 5}, "id must be string"),
        ("POST", "/faults", {"id": "return-503", "p": "much"}, "p must be number"),
        ("POST", "/faults", {"id": "return-503", "p": 2}, "p must be between 0 and 1"),
        ("POST", "/clock", {"advance": -1}, "advance must be at least 0"),
        ("POST", "/clock", {}, "advance is required"),
        ("POST", "/clock", {"advance": 10**400}, "advance must be from -9007199254740992 to"),
        ("PATCH", "/limits", {"burst": 10**400}, "burst must be from -9007199254740992 to"),
        ("POST", "/faults", {"id": "return-503", "on": "/nope"}, "the emulator has no route"),
        ("POST", "/faults", {"id": "return-503", "nth": [[1]]}, "nth counts requests from 1"),
        ("POST", "/webhooks", {"url": "http://"}, "A receiver is at an http:// or https:// URL"),
        ("POST", "/seed", {"users": {"": {"u": {"name": "A"}}}}, "users has a user without an ID"),
        ("PATCH", "/switches", {"nonsense": 1}, "no argument 'nonsense' here"),
        ("PATCH", "/switches", {"empty_phone": "perhaps"}, "empty_phone must be one of"),
        ("PATCH", "/limits", {"burst": -1}, "burst must be at least 0"),
        ("POST", "/webhooks", {"url": "here"}, "url must begin with http"),
        ("POST", "/webhooks", {"url": "http://x", "events": ["no"]}, "There are no events ['no']"),
        ("POST", "/webhooks", {"url": "http://x", "events": [1]}, "must hold only what must be"),
        ("POST", "/events", {"type": "nope"}, "type must be one of"),
        ("POST", "/events", {"type": "message.sent", "set": {"message.id.x": 1}}, "no object"),
        ("GET", "/requests?since=x", None, "since must be integer"),
        ("GET", "/commits?kind=typo", None, "kind must be one of ['app.created', "),
        ("POST", "/events/spoil", {}, "Say what to do to them: tamper, reorder or duplicate."),
        ("POST", "/events/spoil", {"reorder": False}, "Say what to do to them"),
    ],
)
async def test_what_cannot_be_done_says_why(
    control: httpx.AsyncClient, method: str, path: str, body: Any, reason: str
) -> None:
    answer = await control.request(method, path, **({} if body is None else {"json": body}))

    assert 400 == answer.status_code
    assert reason in "\n".join(answer.json()["reasons"])


@pytest.mark.parametrize("what", [{"tamper": "body"}, {"reorder": True}, {"duplicate": True}])
async def test_nothing_that_waits_cannot_be_spoilt(
    emulator: Emulator, control: httpx.AsyncClient, what: dict[str, Any]
) -> None:
    for receiver in (None, Inbox()):
        if receiver is not None:
            emulator.webhooks.to(receiver)

        answer = await control.post("/events/spoil", json=what)

        assert 409 == answer.status_code
        assert "POST /events/hold first" in answer.json()["reasons"][0]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            "message.txt",
            "Hi",
            "no 'message.txt'. Did you mean 'message.text'? There are: message.id",
        ),
        (
            "mesage.text",
            "Hi",
            "no 'mesage'. Did you mean 'message'? There are: sender, conversation",
        ),
        ("zzz", "Hi", "The event has no 'zzz'. There are: sender, conversation, message."),
        ("", "Hi", "The event has no ''."),
        ("message.custm.a", "b", "Did you mean 'message.custom'?"),
        (
            "conversation.participants.alice.acces",
            "Read",
            "'conversation.participants.alice.access'",
        ),
        ("conversation.participants.zoe.access", "Read", "no 'conversation.participants.zoe'"),
        ("message.attachment.url", "x", "'attachment', which is null: set all of it"),
        ("message.content.text", "x", "leads through 'content', which is no object"),
        ("message.text", 5, "'message.text' is a text and cannot be 5."),
        ("message.custom.a.b", "c", None),
        ("message.custom.a", "b", None),
        ("sender.custom.a", "b", None),
        ("conversation.participants.zoe", {"access": "Read"}, None),
        ("conversation.participants.alice.access", "Read", None),
        ("message.reactions.👍", ["alice"], None),
        ("message.custom.text", "b", None),
        ("message.attachment", {"url": "https://x"}, None),
        ("conversation.subject", None, None),
    ],
)
async def test_only_fields_that_an_event_has_can_be_set(
    emulator: Emulator, control: httpx.AsyncClient, path: str, value: Any, reason: str | None
) -> None:
    emulator.webhooks.to(Inbox())

    answer = await control.post("/events", json={"type": "message.sent", "set": {path: value}})

    if reason is None:
        assert 200 == answer.status_code
        (event,) = emulator.webhooks.pending
        found: Any = event["data"]
        for step in path.split("."):
            found = found[step]
        assert value == found
    else:
        assert 400 == answer.status_code
        assert reason in answer.json()["reasons"][0]
        assert () == emulator.webhooks.pending


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_every_field_of_an_example_can_be_set(
    emulator: Emulator, control: httpx.AsyncClient, event_type: str
) -> None:
    emulator.webhooks.to(Inbox())
    await control.post("/events", json={"type": event_type})
    paths = list(paths_in(emulator.webhooks.pending[0]["data"]))

    answers = [
        (await control.post("/events", json={"type": event_type, "set": {path: None}})).status_code
        for path in paths
    ]

    assert [200] * len(paths) == answers


def paths_in(data: dict[str, Any]) -> Iterator[str]:
    """All dotted paths of an event's data."""
    for name, value in data.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{path}" for path in paths_in(value))


@pytest.mark.parametrize("event_type", [one for one in EVENT_TYPES if one.startswith("message.")])
async def test_a_message_says_its_new_text_wherever_it_stands(
    emulator: Emulator, control: httpx.AsyncClient, event_type: str
) -> None:
    emulator.webhooks.to(Inbox())
    await control.post("/events", json={"type": event_type})
    changes = {"message.text": "Hi *you*", "message.custom.a": "b"}

    await control.post("/events", json={"type": event_type, "set": changes})

    before, after = (event["data"] for event in emulator.webhooks.pending)
    message, last = after["message"], after["conversation"]["lastMessage"]
    assert ("Hi *you*", {"a": "b"}) == (message["text"], message["custom"])
    bold = {"type": "bold", "children": ["you"]}
    assert [{"type": "text", "children": ["Hi ", bold]}] == message["content"]
    if before["conversation"]["lastMessage"] == before["message"]:
        assert message == last
    else:
        assert "message.deleted" == event_type
        assert before["conversation"] == after["conversation"]


@pytest.mark.parametrize("text", [None, 5, ["Hi"]])
async def test_a_text_that_is_none_leaves_no_content(
    emulator: Emulator, control: httpx.AsyncClient, text: Any
) -> None:
    emulator.webhooks.to(Inbox())
    data = {"message": {"text": None, "content": [{"type": "text", "children": ["Hi"]}]}}
    event = {"type": "message.sent", "data": data, "set": {"message.text": text}}

    assert 200 == (await control.post("/events", json=event)).status_code

    assert {"text": text, "content": []} == emulator.webhooks.pending[0]["data"]["message"]


async def test_a_new_id_stands_in_the_references_too(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    emulator.webhooks.to(Inbox())
    changes = {"conversation.id": "order-1", "sender.id": "zoe"}

    await control.post("/events", json={"type": "message.sent", "set": changes})

    data = emulator.webhooks.pending[0]["data"]
    for message in (data["message"], data["conversation"]["lastMessage"]):
        assert ("order-1", "zoe") == (message["conversationId"], message["senderId"])


async def test_data_of_your_own_is_changed_where_it_has_the_field(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    emulator.webhooks.to(Inbox())
    event = {"type": "message.sent", "data": {"message": {"text": "a", "custom": None}}}

    changed = await control.post("/events", json=event | {"set": {"message.custom.b": "c"}})
    refused = await control.post("/events", json=event | {"set": {"message.id": "c"}})

    assert (200, 400) == (changed.status_code, refused.status_code)
    (sent,) = emulator.webhooks.pending
    assert {"message": {"text": "a", "custom": {"b": "c"}}} == sent["data"]


async def test_what_a_reset_keeps_is_kept(emulator: Emulator, control: httpx.AsyncClient) -> None:
    emulator.webhooks.to(Inbox())
    await control.put("/snapshots/one")
    await control.patch("/limits", json={"burst": 2})
    await control.patch("/switches", json={"not_a_participant": 400})
    await control.post("/clock", json={"advance": 60})
    paths = ("/webhooks", "/snapshots", "/limits", "/switches", "/clock")
    before = [(await control.get(path)).json() for path in paths]

    await control.post("/reset")

    assert before == [(await control.get(path)).json() for path in paths]


async def test_a_cut_of_bodies_is_described(control: httpx.AsyncClient) -> None:
    schemas = (await control.get("/openapi.json")).json()["components"]["schemas"]

    for name in ("body", "answer"):
        assert "4,000 characters" in schemas["Request"]["properties"][name]["description"]


async def test_a_body_that_is_no_json_is_refused(control: httpx.AsyncClient) -> None:
    assert 400 == (await control.post("/reset", content=b"{")).status_code


async def test_it_describes_itself(control: httpx.AsyncClient) -> None:
    described = (await control.get("/openapi.json")).json()

    there = {(m.upper(), path) for path, item in described["paths"].items() for m in item}
    assert {(one.method, one.path) for one in OPERATIONS} == there
    names = [one["operationId"] for item in described["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))


async def test_settling_ends_when_the_time_is_over() -> None:
    emulator = Emulator(clock=RealClock())
    emulator.webhooks.to(Inbox())
    emulator.webhooks.held = True
    emulator.webhooks.trigger("user.created", {})
    transport = httpx.ASGITransport(app=emulator.asgi)

    async with httpx.AsyncClient(transport=transport, headers=CHANGE) as http:
        base = "http://localhost/_emulator/v1"
        waited = await http.post(f"{base}/settle", json={"timeout": 0.05})
        await http.post(f"{base}/events/release")
        settled = await http.post(f"{base}/settle")

    assert {"settled": False, "deliveries": 0} == waited.json()
    assert {"settled": True, "deliveries": 1} == settled.json()


async def test_data_is_seeded_kept_and_gone_back_to(
    emulator: Emulator, control: httpx.AsyncClient
) -> None:
    seed = {
        "users": {"alice": {"name": "Alice", "at": "-2h"}},
        "conversations": {"c": {"participants": ["alice"], "messages": [{"text": "Hello"}]}},
    }
    assert {"users": 1, "conversations": 1} == (await control.post("/seed", json=seed)).json()
    assert ["before"] == (await control.put("/snapshots/before")).json()

    await control.post("/users/alice/say", json={"conversation": "c", "text": "Hi"})
    await control.post("/reset")
    assert [] == list(emulator.main_app.users)
    await control.post("/snapshots/before/restore")

    assert ["before"] == (await control.get("/snapshots")).json()
    assert ["alice"] == list(emulator.main_app.users)
    assert 1 == len(emulator.main_app.conversations["c"].messages)
    assert 404 == (await control.post("/snapshots/after/restore")).status_code
    wrong = await control.post("/seed", json={"users": {"bob": {"name": 5}}})
    assert (400, "users.bob: ") == (wrong.status_code, wrong.json()["reasons"][0][:11])
