"""Requests find their routes by the raw path."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator
from talkjs_async.emulator.routes import ROUTER, ROUTES

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]


def test_every_route_is_found_under_its_own_path() -> None:
    for route in ROUTES:
        found = ROUTER.find(route.method, route.path.replace("{", "").replace("}", ""))
        assert found is not None
        assert found[0] is route


def test_every_route_names_its_source_and_says_what_it_does() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        assert route.source
        assert route.handler.__doc__


@given(id_=st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_an_id_may_contain_anything(id_: str) -> None:
    found = ROUTER.find("GET", f"/users/{quote(id_, safe='')}/conversations")

    assert found is not None
    assert (found[0].name, found[1]) == ("users.list_conversations", [id_])


@pytest.mark.parametrize("id_", ["a/b", "😀", "100%", "a b", "%2F", "ü"])
async def test_an_odd_id_survives_the_way_there_and_back(send: Send, id_: str) -> None:
    path = f"/users/{quote(id_, safe='')}"

    await send("PUT", path, {"name": "Odd"})

    assert (await send("GET", path)).json()["id"] == id_


async def test_a_trailing_slash_does_not_matter(send: Send) -> None:
    assert (await send("GET", "/users/")).status_code == 200
    assert (await send("PUT", "/conversations/c/", {})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing/here"),
        ("POST", "/users/a"),
        ("GET", "/users//conversations"),
        ("DELETE", "/users/a"),
    ],
)
async def test_what_is_not_there_says_so(
    emulator: Emulator, send: Send, method: str, path: str
) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = await send(method, path, headers=headers)
        assert (answer.status_code, answer.content) == (404, b'"Not found"')
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert emulator.requests[-1].operation == ""

    emulator.switches.unknown_path = "not_implemented"
    answer = await send(method, path)
    assert answer.status_code == 501
    assert answer.json()["errorCode"] == "NOT_IMPLEMENTED_BY_EMULATOR"
    assert emulator.requests[-1].operation == ""


async def test_a_path_that_is_no_utf8_is_a_400(send: Send) -> None:
    assert (await send("GET", "/users/%ff")).status_code == 400
    assert (await send("GET", "/users?limit=%ff")).status_code == 400


async def test_a_path_outside_the_api_belongs_to_no_app(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        assert (await client.get("http://emulator/health")).content == b'"Not found"'
        emulator.switches.unknown_path = "not_implemented"
        emulator.switches.unknown_app = "unauthorized"
        assert (await client.get("http://emulator/health")).status_code == 401
