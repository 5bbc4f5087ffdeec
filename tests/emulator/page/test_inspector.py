"""Who may look at the page, and what can be done from it."""

import threading
from collections.abc import AsyncIterator

import httpx
import pytest

from talkjs_async.emulator import Emulator, RealClock, VirtualClock
from talkjs_async.emulator._demo import fill_with_demo

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client that comes from this machine."""
    transport = httpx.ASGITransport(app=emulator.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:1") as client:
        yield client


async def test_the_page_and_its_parts_are_served_with_a_strict_policy(
    http: httpx.AsyncClient,
) -> None:
    for name, kind in (
        ("", "text/html; charset=utf-8"),
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
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
        await http.post("/_emulator/v1/reset", headers={"host": host, "X-Emulator": "1"})
    ).status_code == 403


async def test_the_page_leaves_no_trace_in_the_request_log(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    await http.get("/_emulator/")

    assert len(emulator.requests) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_emulator/nothing", 404),
        ("GET", "/_emulator/log", 404),
        ("POST", "/_emulator/", 405),
        ("OPTIONS", "/_emulator/page.js", 405),
    ],
)
async def test_there_is_nothing_else(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await http.request(method, path)).status_code == status


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


async def test_what_the_emulator_lacks_is_shown(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    await http.get("/v1/emulator/nothing/here")

    assert "not in the emulator" in (await http.get("/_emulator/")).text
    assert "" == emulator.requests[0].operation


async def test_half_a_surrogate_pair_does_not_break_the_page(
    emulator: Emulator, http: httpx.AsyncClient
) -> None:
    fill_with_demo(emulator)
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
