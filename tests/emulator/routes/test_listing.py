"""What all lists have in common."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

PATHS = [("/users", 100), ("/conversations", 30), ("/conversations/c/messages", 100)]


@pytest.fixture
async def data(emulator: Emulator, send: Send) -> None:
    """12 users, 12 conversations, 12 messages, a second apart."""
    await send("PUT", "/conversations/c", {})
    for number in range(12):
        await emulator.clock.sleep(1)
        await send("PUT", f"/users/{number}", {"name": str(number)})
        if number:
            await send("PUT", f"/conversations/{number}", {})
        message = [{"type": "SystemMessage", "text": str(number)}]
        await send("POST", "/conversations/c/messages", message)


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.usefixtures("data")
async def test_a_page_has_ten_records_unless_asked_otherwise(
    send: Send, path: str, maximum: int
) -> None:
    assert len((await send("GET", path)).json()["data"]) == 10
    assert len((await send("GET", path, limit=3)).json()["data"]) == 3
    assert len((await send("GET", path, limit=maximum)).json()["data"]) == 12


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.parametrize("limit", ["0", "-1", "101", "1000", "ten", "", "1.5", "9" * 5_000])
@pytest.mark.usefixtures("data")
async def test_a_limit_out_of_range_is_refused(
    send: Send, path: str, maximum: int, limit: str
) -> None:
    answer = await send("GET", path, limit=limit)

    assert answer.status_code == 400
    assert "limit" in answer.json()["reasons"][0]


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.usefixtures("data")
async def test_a_limit_out_of_range_is_cut_if_the_server_is_so(
    emulator: Emulator, send: Send, path: str, maximum: int
) -> None:
    emulator.switches.limit_over_max = "clamp"

    assert len((await send("GET", path, limit=1_000)).json()["data"]) == 12
    assert len((await send("GET", path, limit=0)).json()["data"]) == 1


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.usefixtures("data")
async def test_up_to_a_hundred_of_anything_are_served_if_the_server_is_so(
    emulator: Emulator, send: Send, path: str, maximum: int
) -> None:
    emulator.switches.limit_over_max = "up_to_100"

    assert len((await send("GET", path, limit=100)).json()["data"]) == 12
    assert (await send("GET", path, limit=101)).status_code == 400
    assert (await send("GET", path, limit=0)).status_code == 400


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.parametrize("ties", ["sequence", "id"])
async def test_pages_follow_each_other_without_gap_or_double(
    emulator: Emulator, send: Send, path: str, maximum: int, ties: str
) -> None:
    emulator.switches.order_ties = ties  # type: ignore[assignment]
    await send("PUT", "/conversations/c", {})
    for number in range(25):  # All in the same millisecond.
        await send("PUT", f"/users/{number}", {"name": "N"})
        await send("PUT", f"/conversations/{number}", {})
        message = [{"type": "SystemMessage", "text": str(number)}]
        await send("POST", "/conversations/c/messages", message)

    seen: list[str] = []
    query: dict[str, int | str] = {"limit": 4}
    while page := (await send("GET", path, **query)).json()["data"]:
        seen.extend(record["id"] for record in page)
        query = {"limit": 4, "startingAfter": seen[-1]}

    assert len(seen) == len(set(seen)) == (26 if path == "/conversations" else 25)
    if ties == "id" and path != "/conversations":
        assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(("path", "maximum"), PATHS)
@pytest.mark.usefixtures("data")
async def test_starting_after_a_record_that_is_gone(
    emulator: Emulator, send: Send, path: str, maximum: int
) -> None:
    assert (await send("GET", path, startingAfter="gone")).status_code == 400

    emulator.switches.unknown_cursor = "empty"
    assert (await send("GET", path, startingAfter="gone")).json() == {"data": []}

    emulator.switches.unknown_cursor = "start"
    from_the_start = (await send("GET", path)).json()
    assert (await send("GET", path, startingAfter="gone")).json() == from_the_start


@given(value=st.text(max_size=8))
@settings(max_examples=25, deadline=None)
async def test_no_query_whatsoever_breaks_the_server(value: str) -> None:
    emulator = Emulator()
    async with httpx.AsyncClient(
        transport=emulator.transport, headers={"authorization": "Bearer sk_test_emulator"}
    ) as client:
        for name in ("limit", "startingAfter", "orderBy", "offsetTs", "filter", "isOnline"):
            for noun in ("users", "conversations"):
                answer = await client.get(
                    f"http://emulator/v1/emulator/{noun}", params={name: value}
                )
                assert answer.status_code in (200, 400)
