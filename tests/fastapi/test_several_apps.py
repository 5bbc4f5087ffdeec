"""Several TalkJS apps in one FastAPI app, and one lifespan that is entered several times."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from talkjs_async import AsyncTalkJS, ConfigurationError, Webhooks
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import (
    Lifespan,
    TalkJSDep,
    get_talkjs,
    get_webhook_event,
    get_webhooks,
    lifespan_with,
    talkjs_named,
    webhook_event_named,
    webhook_router,
    webhooks_named,
)
from talkjs_async.models.events import UserCreated, WebhookEvent
from tests.fastapi.apps import running, webhook

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop() -> Emulator:
    """A second TalkJS app, with a key of its own."""
    return Emulator(app_id="shop", secret_key="sk_test_of_the_shop")


def options_of(emulator: Emulator) -> dict[str, Any]:
    return {
        "app_id": emulator.app_id,
        "secret_key": emulator.secret_key,
        "transport": emulator.transport,
        "clock": emulator.clock,
    }


def lifespan_of(emulator: Emulator, **more: Any) -> Lifespan:
    return lifespan_with(**options_of(emulator), **more)


async def test_a_lifespan_takes_the_options_of_the_client(emulator: Emulator) -> None:
    app = FastAPI(lifespan=lifespan_of(emulator, max_wait=2.0))
    router = webhook_router("/hook")
    app.include_router(router)
    body = webhook()
    headers = Webhooks(emulator.secret_key, clock=emulator.clock).sign(body)

    async with running(app) as http:
        answer = await http.post("/hook", content=body, headers=headers)
        app_id = app.state.talkjs.app_id

    assert (200, emulator.app_id) == (answer.status_code, app_id)
    with pytest.raises(TypeError, match="max_wiat"):
        lifespan_with(max_wiat=2.0)


@pytest.mark.parametrize("webhooks", [Webhooks("sk_test"), "sk_test", 5])
async def test_what_makes_no_webhooks_is_refused_at_once(webhooks: Any) -> None:
    with pytest.raises(ConfigurationError, match="webhooks: must be a function"):
        lifespan_with(webhooks=webhooks)


def test_a_client_in_the_place_of_what_makes_one_is_refused_at_once(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match=r"client: must be a function .* AsyncTalkJS\(\)"):
        lifespan_with(talkjs)  # type: ignore[arg-type]


async def test_two_talkjs_apps_live_in_one_app(emulator: Emulator, shop: Emulator) -> None:
    hook, shop_hook = webhook_router("/hook"), webhook_router("/shop", name="shop")
    seen = []

    @hook.on(UserCreated)
    async def ours(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append(f"hook: {talkjs.app_id}")

    @shop_hook.on(UserCreated)
    async def theirs(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append(f"shop: {talkjs.app_id}")

    app = FastAPI()

    @app.get("/")
    async def route(
        talkjs: TalkJSDep, other: Annotated[AsyncTalkJS, Depends(talkjs_named("shop"))]
    ) -> list[str]:
        return [talkjs.app_id, other.app_id]

    @app.post("/event")
    async def event(event: Annotated[WebhookEvent, Depends(webhook_event_named("shop"))]) -> str:
        return event.id

    app.include_router(hook)
    app.include_router(shop_hook)
    body = webhook()
    signed = {
        each.app_id: Webhooks(each.secret_key, clock=each.clock).sign(body)
        for each in (emulator, shop)
    }
    async with (
        lifespan_of(emulator)(app),
        lifespan_of(shop, name="shop")(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http,
    ):
        apps = await http.get("/")
        statuses = [
            (await http.post(path, content=body, headers=signed[app_id])).status_code
            for app_id in ("emulator", "shop")
            for path in ("/hook", "/shop", "/event")
        ]
        state = app.state.talkjs.app_id, app.state.talkjs_shop.app_id

    assert ["emulator", "shop"] == apps.json()
    assert [200, 400, 400, 400, 200, 200] == statuses
    assert ["hook: emulator", "shop: shop"] == seen
    assert ("emulator", "shop") == state


async def test_a_second_lifespan_does_not_take_the_place_of_the_first(
    emulator: Emulator, shop: Emulator
) -> None:
    app = FastAPI()

    async with lifespan_of(emulator)(app):
        with pytest.raises(ConfigurationError, match=r"lifespan_with\(name='shop'"):
            async with lifespan_of(shop)(app):
                raise AssertionError("unreachable")

        assert emulator.app_id == app.state.talkjs.app_id
    assert not hasattr(app.state, "talkjs")


@pytest.mark.parametrize("first_out", [0, 1])
async def test_one_lifespan_may_be_entered_twice_and_left_in_any_order(
    emulator: Emulator, first_out: int
) -> None:
    app = FastAPI()
    lifespan = lifespan_of(emulator)
    both = [lifespan(app), lifespan(app)]
    for one in both:
        await one.__aenter__()

    await both[first_out].__aexit__(None, None, None)
    await app.state.talkjs.users.list().first()
    await both[1 - first_out].__aexit__(None, None, None)

    assert not hasattr(app.state, "talkjs")
    assert not hasattr(app.state, "talkjs_webhooks")


async def test_the_names_of_dependencies_are_stable_and_checked(emulator: Emulator) -> None:
    assert (get_talkjs, get_webhooks) == (talkjs_named("talkjs"), webhooks_named("talkjs"))
    assert get_webhook_event is webhook_event_named("talkjs")
    assert talkjs_named("shop") is talkjs_named("shop")
    assert webhooks_named("shop") is not webhooks_named("other")
    for make in (talkjs_named, webhooks_named, webhook_event_named):
        with pytest.raises(ConfigurationError, match="must be a Python identifier"):
            make("my shop")
    with pytest.raises(ConfigurationError, match="must be a Python identifier"):
        lifespan_with(name="")


async def test_a_name_without_a_lifespan_is_one_clear_error(emulator: Emulator) -> None:
    app = FastAPI(lifespan=lifespan_of(emulator))

    @app.get("/")
    async def route(talkjs: Annotated[AsyncTalkJS, Depends(talkjs_named("shop"))]) -> None: ...

    @app.get("/webhooks")
    async def other(webhooks: Annotated[Webhooks, Depends(webhooks_named("shop"))]) -> None: ...

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(running(app))
        for path in ("/", "/webhooks"):
            with pytest.raises(ConfigurationError, match="its name must be 'shop'"):
                await http.get(path)
