"""API versions."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator._versions import API_VERSIONS

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

PATH = "/users/nobody/conversations"


@pytest.mark.parametrize("version", API_VERSIONS)
async def test_every_version_is_served(send: Send, version: str) -> None:
    answer = await send("GET", PATH, headers={"TalkJS-REST-Version": version})

    assert answer.status_code == (404 if version == "2024-01-01" else 200)


async def test_without_a_version_the_latest_is_served(send: Send) -> None:
    assert (await send("GET", PATH)).status_code == 404


@pytest.mark.parametrize("version", ["2035-01-01", "2021", "latest", ""])
async def test_an_unknown_version_is_a_setting(
    emulator: Emulator, send: Send, version: str
) -> None:
    headers = {"TalkJS-REST-Version": version}
    assert (await send("GET", PATH, headers=headers)).status_code == 404

    emulator.switches.unknown_version = "reject"
    assert (await send("GET", PATH, headers=headers)).status_code == 400
