"""Who may look at the page, and what can be done from it."""

import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, RealClock, VirtualClock

pytestmark = pytest.mark.anyio

ACTION = {"X-Emulator": "1"}


@pytest.fixture
async def http(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client that comes from this machine."""
    transport = httpx.ASGITransport(app=emulator.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:1") as client:
        yield client


async def do(http: httpx.AsyncClient, **action: Any) -> httpx.Response:
    return await http.post("/_emulator/do", json=action, headers=ACTION)


async def test_the_page_and_its_parts_are_served_with_a_strict_policy(
    http: httpx.AsyncClient,
) -> None:
    for name, kind in (
        ("", "text/html; charset=utf-8"),
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
        ("log", "application/json"),
        ("?conversation=none", "text/html; charset=utf-8"),
    ):
        answer = await http.get(f"/_emulator/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:9", "LOCALHOST:80"])
async def test_this_machine_may_look(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/_emulator/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.2", ""]
)
async def test_no_other_machine_may(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/_emulator/", headers={"host": host})).status_code == 403
    assert (
        await http.post("/_emulator/do", json={"do": "reset"}, headers={"host": host, **ACTION})
    ).status_code == 403


async def test_the_page_leaves_no_trace_in_the_request_log(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    await http.get("/_emulator/")

    assert len(emulator.requests) == 0


async def test_an_action_needs_a_header_that_no_foreign_form_can_send(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    refused = await http.post("/_emulator/do", json={"do": "demo"})

    assert refused.status_code == 403
    assert len(emulator.commits) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_emulator/nothing", 404),
        ("GET", "/_emulator/do", 404),
        ("POST", "/_emulator/", 405),
        ("OPTIONS", "/_emulator/do", 405),
        ("DELETE", "/_emulator/log", 405),
    ],
)
async def test_there_is_nothing_else(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await http.request(method, path)).status_code == status


async def test_every_action_does_what_it_says(emulator: Emulator, http: httpx.AsyncClient) -> None:
    assert (await do(http, do="demo")).json() == {}
    place = {"user": "sebastian", "conversation": "red-bicycle"}
    said = await do(http, do="say", text="Hello", **place)
    assert emulator.commits[-1].message_id == said.json()["id"]
    assert (await do(http, do="type", **place)).status_code == 200
    assert list(emulator.main_app.sessions) == ["sebastian"]
    await do(http, do="read", **place)
    assert emulator.commits[-1].kind == "conversation.read"
    await do(http, do="fault", id="return-503", on="GET", first=2)
    (plan,) = emulator.faults
    assert (plan.fault.id, plan.on, plan.first) == ("return-503", "GET", 2)
    await do(http, do="clear_faults")
    assert len(emulator.faults) == 0
    before = emulator.clock.time()
    assert (await do(http, do="advance", seconds=60)).json() == {"now": before + 60}
    await do(http, do="reset")
    assert len(emulator.commits) == 0


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"do": "explode"},
        {"do": []},
        {"do": "say"},
        {"do": "say", "user": "alice", "conversation": "red-bicycle", "text": ""},
        {"do": "fault", "id": "explode"},
        {"do": "fault", "id": 5},
        {"do": "fault", "id": "return-503", "p": "much"},
        {"do": "advance", "seconds": -1},
        {"do": "advance", "seconds": "ten"},
        {"do": "advance"},
    ],
)
async def test_an_action_that_cannot_be_says_why(
    http: httpx.AsyncClient, action: dict[str, Any]
) -> None:
    answer = await http.post("/_emulator/do", json=action, headers=ACTION)

    assert answer.status_code == 400
    assert answer.json()["reasons"][0]


async def test_an_action_fails_as_the_api_does(http: httpx.AsyncClient) -> None:
    answer = await do(http, do="read", user="alice", conversation="none")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "CONVERSATION_NOT_FOUND")

    garbage = await http.post("/_emulator/do", content=b"[", headers=ACTION)
    assert garbage.status_code == 400


async def test_a_clock_that_cannot_be_moved_says_so() -> None:
    class Sundial:
        """A clock with nothing but the time."""

        def time(self) -> float:
            return 0.0

        def monotonic(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            raise AssertionError

    with pytest.raises(ValueError, match="cannot be moved"):
        Emulator(clock=Sundial()).advance(1)


def test_real_time_can_be_put_forward() -> None:
    emulator = Emulator(clock=RealClock())
    before = emulator.clock.time(), emulator.clock.monotonic()

    emulator.advance(3_600)

    assert emulator.clock.time() - before[0] >= 3_600
    assert emulator.clock.monotonic() - before[1] >= 3_600


async def test_the_log_is_for_programs(emulator: Emulator, http: httpx.AsyncClient) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    emulator.webhooks.to(silent, path="/hook")
    emulator.faults.add("return-503", nth=99)
    await do(http, do="demo")
    await emulator.webhooks.settle()

    log = (await http.get("/_emulator/log")).json()

    assert log["now"] == emulator.clock.time()
    assert ["users.upsert_many", "conversations.upsert", "messages.send"] == [
        entry["operation"] for entry in log["requests"]
    ]
    assert [entry["kind"] for entry in log["commits"]].count("message.sent") == 3
    assert json.loads(log["deliveries"][0]["body"])["type"] == "user.created"
    assert log["faults"] == [{"id": "return-503", "on": None, "fired": 0, "left": 1}]
    assert emulator.secret_key not in json.dumps(log)


async def test_a_switch_is_shown_and_set(emulator: Emulator, http: httpx.AsyncClient) -> None:
    pressed = '&quot;name&quot;: &quot;empty_phone&quot;, &quot;value&quot;: &quot;{}&quot;}}" {}'
    shown = (await http.get("/_emulator/")).text
    assert pressed.format("null", 'aria-pressed="true"') in shown
    assert pressed.format("list", 'aria-pressed="false"') in shown

    done = await do(http, do="switch", name="empty_phone", value="list")
    refused = await do(http, do="switch", name="empty_phone", value="perhaps")

    assert (200, 400) == (done.status_code, refused.status_code)
    assert "list" == emulator.switches.empty_phone
    assert pressed.format("list", 'aria-pressed="true"') in (await http.get("/_emulator/")).text


async def test_half_a_surrogate_pair_does_not_break_the_page(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    await do(http, do="demo")
    emulator.simulate_user("alice").say("red-bicycle", "\ud83d")

    assert (await http.get("/_emulator/")).status_code == 200


async def test_an_uploaded_page_cannot_act_as_this_one(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    uploaded = await http.post(
        "/v1/emulator/files",
        files={"file": ("x.html", b"<script>alert(1)</script>", "text/html")},
        headers={"authorization": f"Bearer {emulator.secret_key}"},
    )
    token = uploaded.json()["fileToken"]

    file = await http.get(f"/_emulator/files/emulator/{token}/x.html")

    assert file.headers["content-security-policy"].startswith("sandbox")


def test_changes_are_told_as_they_happen() -> None:
    emulator = Emulator(clock=VirtualClock())
    told: list[str] = []
    heard = threading.Event()

    def listen(url: str) -> None:
        with httpx.stream("GET", url, timeout=10) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            for line in answer.iter_lines():
                if line:
                    told.append(line)
                    heard.set()
                if len(told) == 2:
                    return

    with emulator.serve() as server:
        listener = threading.Thread(target=listen, args=(f"{server.base_url}/_emulator/events",))
        listener.start()
        assert heard.wait(5)
        emulator.faults.add("return-503")
        listener.join(5)

    assert told == ["data: changed", "data: changed"]
