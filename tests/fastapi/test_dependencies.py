"""One client per app, for as long as the app runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from talkjs_async import AsyncTalkJS, ConfigurationError, Webhooks
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import (
    TalkJSDep,
    WebhookEventDep,
    get_talkjs,
    lifespan,
    lifespan_with,
    webhook_router,
)
from tests.fastapi.apps import HOOK, MakeApp, running, webhook

pytestmark = pytest.mark.anyio


async def test_all_requests_share_one_client_that_ends_with_the_app(make_app: MakeApp) -> None:
    app = make_app()
    clients = []

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> None:
        clients.append(talkjs)

    async with running(app) as http:
        await http.get("/")
        await http.get("/")

    assert clients[0] is clients[1]
    with pytest.raises(ConfigurationError, match="is closed"):
        await clients[0].users.get("alice")


async def test_an_app_starts_again_after_its_end(make_app: MakeApp, emulator: Emulator) -> None:
    app = make_app()

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> None:
        await talkjs.users.list().first()

    for _ in range(2):
        async with running(app) as http:
            await http.get("/")

    assert 2 == len(emulator.requests)


async def test_the_lifespan_fits_into_one_of_the_users_own(make_app: MakeApp) -> None:
    ours = make_app().router.lifespan_context

    @asynccontextmanager
    async def mine(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        async with ours(app):
            yield {"shop": "open"}

    app = FastAPI(lifespan=mine)

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> str:
        return talkjs.app_id

    async with running(app) as http:
        answer = await http.get("/")

    assert "emulator" == answer.json()


async def test_a_mounted_app_has_a_lifespan_of_its_own(make_app: MakeApp) -> None:
    ours = make_app().router.lifespan_context
    mounted = FastAPI()

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with ours(app), ours(mounted):
            yield

    app = FastAPI(lifespan=both)
    app.mount("/shop", mounted)

    @mounted.get("/")
    async def route(talkjs: TalkJSDep) -> str:
        return talkjs.app_id

    async with running(app) as http:
        answer = await http.get("/shop/")

    assert "emulator" == answer.json()


async def test_the_plain_lifespan_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_APP_ID", "mine")
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_of_the_environment")
    app = FastAPI(lifespan=lifespan)
    body = webhook("evt_1")
    headers = Webhooks("sk_test_of_the_environment").sign(body)

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> str:
        return talkjs.app_id

    @app.post("/")
    async def hook(event: WebhookEventDep) -> str:
        return event.id

    async with running(app) as http:
        answers = [await http.get("/"), await http.post("/", content=body, headers=headers)]

    assert ["mine", "evt_1"] == [answer.json() for answer in answers]


async def test_without_credentials_the_app_does_not_start() -> None:
    app = FastAPI(lifespan=lifespan)

    with pytest.raises(ConfigurationError, match="TALKJS_APP_ID"):
        async with running(app):
            pass


async def test_without_the_lifespan_the_error_names_the_way_out() -> None:
    app = FastAPI()

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> None: ...

    async with running(app) as http:
        with pytest.raises(ConfigurationError, match=r"FastAPI\(lifespan="):
            await http.get("/")


async def test_without_a_key_a_webhook_fails_with_the_way_out() -> None:
    app = FastAPI(lifespan=lifespan_with(lambda: AsyncTalkJS("app", "sk_test_of_the_client")))
    app.include_router(webhook_router(HOOK))

    async with running(app) as http:
        with pytest.raises(ConfigurationError, match="TALKJS_SECRET_KEY"):
            await http.post(HOOK, content=b"{}")


async def test_a_test_can_give_the_app_another_client(make_app: MakeApp) -> None:
    app = FastAPI()
    other = AsyncTalkJS("other", "sk_test_of_another_app")
    app.dependency_overrides[get_talkjs] = lambda: other

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> str:
        return talkjs.app_id

    async with running(app) as http:
        answer = await http.get("/")

    assert "other" == answer.json()


def test_without_fastapi_the_error_is_the_command_that_installs_it() -> None:
    code = "import sys; sys.modules['fastapi'] = None; import talkjs_async.fastapi"

    ran = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )

    assert "pip install 'talkjs-async[fastapi]'" in ran.stderr.splitlines()[-1]
