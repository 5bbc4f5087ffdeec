"""Anonymous test projects."""

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio

URL = "http://emulator/v1/anonymousAccounts"


async def test_a_project_is_an_app_of_its_own(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        made = (await client.post(URL, json={})).json()
        project = (await client.get(f"{URL}/{made['accessToken']}")).json()
        client.headers["authorization"] = f"Bearer {project['secretKey']}"
        users = f"http://emulator/v1/{project['appId']}/users"
        await client.put(f"{users}/alice", json={"name": "Alice"})

        assert set(made) == {"appId", "accessToken", "claimUrl"}
        assert made["claimUrl"] == project["claimUrl"]
        assert len((await client.get(users)).json()["data"]) == 1
        assert (await client.get("http://emulator/v1/emulator/users")).status_code == 401
    assert emulator.apps["emulator"].users == {}


async def test_one_project_is_made_in_thirty_seconds(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        statuses = []
        for pause in (0, 29.9, 0.1):
            await emulator.clock.sleep(pause)
            statuses.append((await client.post(URL, json={})).status_code)

    assert [200, 429, 200] == statuses


async def test_a_project_that_does_not_exist_or_was_claimed_is_a_404(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        made = (await client.post(URL, json={})).json()
        emulator.anonymous_accounts.clear()

        assert (await client.get(f"{URL}/{made['accessToken']}")).status_code == 404


async def test_it_is_not_a_resource_of_an_app(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        client.headers["authorization"] = f"Bearer {emulator.secret_key}"
        answer = await client.post("http://emulator/v1/emulator/anonymousAccounts", json={})

    assert (answer.status_code, answer.json()) == (404, "Not found")
