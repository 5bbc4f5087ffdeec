"""In process, a broken connection looks exactly as httpx and httpx2 show a real one."""

from types import ModuleType
from typing import Any

import anyio
import httpx
import httpx2
import pytest

from talkjs_async.emulator import Emulator, Limits

pytestmark = pytest.mark.anyio

URL = "http://emulator/v1/emulator/users"
KEY = {"authorization": "Bearer sk_test_emulator"}


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Both libraries."""
    module: ModuleType = request.param
    return module


def client(library: ModuleType, emulator: Emulator, **settings: Any) -> Any:
    return library.AsyncClient(transport=emulator.transport, headers=KEY, **settings)


async def test_answers_are_made_with_the_library_of_the_request(
    library: ModuleType, emulator: Emulator
) -> None:
    async with client(library, emulator) as http:
        answer = await http.get(URL)

    assert isinstance(answer, library.Response)
    assert answer.json() == {"data": []}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["date"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert answer.headers["content-length"] == "11"


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("refuse", "ConnectError", "All connection attempts failed"),
        ("drop-before-commit", "RemoteProtocolError", "Server disconnected without sending"),
        ("reset-after-commit", "ReadError", "^$"),
        ("truncate-after-commit", "RemoteProtocolError", r"received 5 bytes, expected 11\)"),
        ("garbage", "RemoteProtocolError", "illegal status line"),
        ("stall-after-commit", "ReadTimeout", "^$"),
    ],
)
async def test_a_broken_connection_raises_the_librarys_own_error(
    library: ModuleType, emulator: Emulator, fault: str, error: str, message: str
) -> None:
    emulator.faults.add(fault)

    async with client(library, emulator) as http:
        with pytest.raises(library.TransportError, match=message) as caught:
            await http.get(URL)

    assert type(caught.value) is getattr(library, error)
    assert caught.value.request.url == URL


async def test_a_truncated_answer_still_has_its_status(
    library: ModuleType, emulator: Emulator
) -> None:
    emulator.faults.add("truncate-after-commit")

    async with client(library, emulator) as http, http.stream("GET", URL) as answer:
        assert answer.status_code == 200
        with pytest.raises(library.RemoteProtocolError):
            await answer.aread()

    assert emulator.requests[0].status == 200


async def test_a_stall_lasts_until_the_read_timeout(
    library: ModuleType, emulator: Emulator
) -> None:
    emulator.faults.add("stall-before-commit")

    async with client(library, emulator, timeout=600) as http:
        with pytest.raises(library.ReadTimeout):
            await http.get(URL)

    assert emulator.clock.monotonic() == 600


async def test_without_a_read_timeout_a_stall_lasts_for_ever(emulator: Emulator) -> None:
    emulator.faults.add("stall-before-commit")

    async with client(httpx, emulator, timeout=None) as http:
        with anyio.move_on_after(0.05) as scope:
            await http.get(URL)

    assert scope.cancelled_caught


async def test_an_async_body_is_read(library: ModuleType, emulator: Emulator) -> None:
    async def body() -> Any:
        yield b'{"name":'
        yield b' "Alice"}'

    async with client(library, emulator) as http:
        headers = {"content-type": "application/json"}
        answer = await http.put(f"{URL}/alice", content=body(), headers=headers)

    assert answer.status_code == 200


async def test_latency_is_spent_on_both_sides_of_the_commit() -> None:
    emulator = Emulator(latency=lambda _: (0.25, 0.5))
    async with client(httpx, emulator) as http:
        await http.put(f"{URL}/alice", json={"name": "Alice"})

    start = 1_767_225_600
    assert emulator.commits[0].at == start + 0.25
    assert emulator.clock.time() == start + 0.75


async def test_latency_is_drawn_from_the_seed() -> None:
    async def took(seed: int) -> float:
        emulator = Emulator(seed=seed, latency=lambda chance: (chance.random(), 0.0))
        async with client(httpx, emulator) as http:
            await http.get(URL)
        return emulator.clock.monotonic()

    assert await took(1) == await took(1) != await took(2)


@pytest.mark.parametrize(("up", "down", "commits"), [(2.0, 0.0, 0), (0.5, 0.6, 1), (0.5, 0.5, 1)])
async def test_an_answer_later_than_the_read_timeout_is_not_seen(
    up: float, down: float, commits: int
) -> None:
    emulator = Emulator(latency=lambda _: (up, down))
    late = up + down > 1

    async with client(httpx, emulator, timeout=1) as http:
        try:
            await http.put(f"{URL}/alice", json={"name": "Alice"})
        except httpx.ReadTimeout:
            assert late
        else:
            assert not late

    assert len(emulator.commits) == commits
    assert emulator.clock.monotonic() == pytest.approx(1)


async def test_a_cancelled_caller_has_to_live_with_not_knowing(emulator: Emulator) -> None:
    async with client(httpx, emulator) as http:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await http.put(f"{URL}/alice", json={"name": "Alice"})

    # Cancelled at the first checkpoint, which comes after the commit.
    assert scope.cancelled_caught
    assert len(emulator.commits) == 1


async def test_requests_of_many_tasks_do_not_mix(emulator: Emulator) -> None:
    emulator.limits = Limits.off()
    seen: dict[str, str] = {}

    async def one(name: str) -> None:
        async with client(httpx, emulator) as http:
            await http.put(f"{URL}/{name}", json={"name": name})
            seen[name] = (await http.get(f"{URL}/{name}")).json()["name"]

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(one, str(number))

    assert seen == {str(number): str(number) for number in range(50)}


def test_a_transport_says_where_it_leads(emulator: Emulator) -> None:
    assert (
        repr(emulator.transport)
        == "<EmulatorTransport to <Emulator of app 'emulator', 0 requests>>"
    )
