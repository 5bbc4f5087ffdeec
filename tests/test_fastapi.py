"""The FastAPI part, in process: dependencies, answers for errors, and webhooks of every kind."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    Forbidden,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
    TokenBucket,
    Unauthorized,
    WebhookError,
)
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import (
    TalkJSDep,
    WebhookEventDep,
    WebhookRouter,
    get_talkjs,
    lifespan,
    lifespan_with,
    talkjs_exception_handler,
    webhook_router,
)
from talkjs_async.models.events import BaseEvent, MessageSent, UserCreated
from talkjs_async.webhooks import Webhooks

pytestmark = pytest.mark.anyio

HOOK = "/webhooks/talkjs"
MakeApp = Callable[..., FastAPI]


@pytest.fixture
def webhooks(emulator: Emulator) -> Webhooks:
    """Signs what the app under test accepts."""
    return Webhooks(emulator.secret_key, clock=emulator.clock)


@pytest.fixture
def make_app(emulator: Emulator, webhooks: Webhooks) -> MakeApp:
    """Build an app that talks to the emulator, with options for its client."""

    def make(router: WebhookRouter | None = None, **options: Any) -> FastAPI:
        client = partial(
            AsyncTalkJS,
            emulator.app_id,
            emulator.secret_key,
            transport=emulator.transport,
            clock=emulator.clock,
            **options,
        )
        app = FastAPI(
            lifespan=lifespan_with(client, webhooks=lambda: webhooks),
            exception_handlers={TalkJSError: talkjs_exception_handler},
        )
        if router is not None:
            app.include_router(router)
        return app

    return make


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as http,
    ):
        yield http


def event(event_id: str = "evt_1", kind: str = "user.created", **data: Any) -> bytes:
    data = data or {"user": {"id": "alice", "name": "Alice", "createdAt": 0}}
    return json.dumps({"id": event_id, "type": kind, "createdAt": 0, "data": data}).encode()


def recording(router: WebhookRouter) -> list[str]:
    """Collect the IDs of the events that reach a handler."""
    seen: list[str] = []

    @router.on(UserCreated)
    async def remember(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append(event.id)

    return seen


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


async def test_the_plain_lifespan_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_APP_ID", "mine")
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_of_the_environment")
    router = webhook_router(HOOK)
    seen = recording(router)
    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    body = event()

    async with running(app) as http:
        app_id = app.state.talkjs.app_id
        await http.post(
            HOOK, content=body, headers=Webhooks("sk_test_of_the_environment").sign(body)
        )

    assert "mine" == app_id
    assert ["evt_1"] == seen


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


async def test_without_a_key_a_webhook_is_refused_with_the_way_out(make_app: MakeApp) -> None:
    router = webhook_router(HOOK)
    app = FastAPI(lifespan=lifespan_with(lambda: AsyncTalkJS("app", "sk_test_of_the_client")))
    app.include_router(router)

    async with running(app) as http:
        with pytest.raises(ConfigurationError, match="TALKJS_SECRET_KEY"):
            await http.post(HOOK, content=event())


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

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert "pip install 'talkjs-async[fastapi]'" in ran.stderr.splitlines()[-1]


REQUEST = {"method": "GET", "path": "/users/alice"}


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (NotFound(status=404, reasons=("words",), **REQUEST), 404, None),
        (RateLimitWaitTimeout(estimated_wait=2.2, max_wait=1.0), 503, "3"),
        (RateLimitWaitTimeout(estimated_wait=0.01, max_wait=0.0), 503, "1"),
        (RateLimitWaitTimeout(estimated_wait=math.inf, max_wait=0.0), 503, "3600"),
        (RateLimited(status=429, retry_after=7.0, reasons=("words",)), 503, "7"),
        (RateLimited(status=429), 503, "1"),
        (LimiterUnavailable("words"), 503, "1"),
        (ConnectFailed("words", **REQUEST), 503, "1"),
        (OutcomeUnknown("words", **REQUEST), 504, None),
        (ServerError(status=500, reasons=("words",)), 502, None),
        (DecodeError(json_path="$", expected="words", got="words"), 502, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_trouble_with_talkjs_is_not_the_callers_fault(
    make_app: MakeApp, error: TalkJSError, status: int, retry_after: str | None
) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise error

    async with running(app) as http:
        answer = await http.get("/")

    assert status == answer.status_code
    assert retry_after == answer.headers.get("retry-after")
    assert ["detail"] == list(answer.json())
    assert "words" not in answer.text
    assert "alice" not in answer.text


@pytest.mark.parametrize(
    "error",
    [
        BadRequest(status=400),
        Unauthorized(status=401),
        Forbidden(status=403),
        ConfigurationError("text", "must be a text."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_bug_of_the_app_stays_an_exception(make_app: MakeApp, error: TalkJSError) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise error

    async with running(app) as http:
        with pytest.raises(type(error)):
            await http.get("/")


async def test_a_webhook_error_that_a_route_lets_through_is_an_empty_400(make_app: MakeApp) -> None:
    app = make_app()

    @app.get("/")
    async def route() -> None:
        raise WebhookError("words")

    async with running(app) as http:
        answer = await http.get("/")

    assert (400, b"") == (answer.status_code, answer.content)


async def test_a_caller_learns_when_the_budget_has_room_again(
    make_app: MakeApp, emulator: Emulator
) -> None:
    slow = TokenBucket(rate=0.1, burst=1, clock=emulator.clock)
    app = make_app(limiter=slow, max_wait=2.0)

    @app.get("/")
    async def route(talkjs: TalkJSDep) -> None:
        await talkjs.users.list().first()

    async with running(app) as http:
        answers = [await http.get("/"), await http.get("/")]

    assert [200, 503] == [answer.status_code for answer in answers]
    assert "10" == answers[1].headers["retry-after"]


async def test_a_genuine_webhook_reaches_all_handlers_of_its_kind(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    router = webhook_router(HOOK)
    called = []

    @router.on(UserCreated)
    async def first(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        called.append(f"first: {event.user.name}")

    @router.on(UserCreated)
    async def second(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        called.append(f"second: {talkjs.app_id}")

    @router.on(MessageSent)
    async def other(event: MessageSent, talkjs: AsyncTalkJS) -> None:
        called.append("other")

    @router.on(BaseEvent)
    async def every(event: BaseEvent, talkjs: AsyncTalkJS) -> None:
        called.append("every")

    body = event()
    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert (200, b"") == (answer.status_code, answer.content)
    assert ["every", "first: Alice", "second: emulator"] == sorted(called)


def doubled(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [*headers.items(), ("x-talkjs-signature", headers["X-TalkJS-Signature"])]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda sign: ({}, event()), id="no headers"),
        pytest.param(lambda sign: (sign(event()), event("evt_2")), id="another body"),
        pytest.param(lambda sign: (sign(event()), b""), id="no body"),
        pytest.param(lambda sign: (doubled(sign(event())), event()), id="two signatures"),
        pytest.param(lambda sign: (sign(event(), timestamp=1), event()), id="an old one"),
        pytest.param(
            lambda sign: ({**sign(event()), "X-TalkJS-Timestamp": "now"}, event()), id="no number"
        ),
        pytest.param(lambda sign: (sign(b"\xff"), b"\xff"), id="not UTF-8"),
        pytest.param(lambda sign: (sign(b"[NaN]"), b"[NaN]"), id="not JSON"),
        pytest.param(lambda sign: (sign(b"[" * 10**5), b"[" * 10**5), id="deep"),
        pytest.param(lambda sign: (sign(b"a=b"), b"a=b"), id="a form"),
        pytest.param(lambda sign: (sign(b"{}"), b"{}"), id="no event"),
    ],
)
async def test_what_is_not_a_genuine_webhook_gets_an_empty_400(
    make_app: MakeApp,
    webhooks: Webhooks,
    caplog: pytest.LogCaptureFixture,
    forge: Callable[[Any], tuple[Any, bytes]],
) -> None:
    router = webhook_router(HOOK)
    seen = recording(router)
    headers, body = forge(webhooks.sign)

    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=body, headers=headers)

    assert (400, b"") == (answer.status_code, answer.content)
    assert [] == seen
    assert ["Refused a webhook"] == [record.message.split(":")[0] for record in caplog.records]


async def test_an_oversized_body_is_not_read_to_its_end(make_app: MakeApp) -> None:
    router = webhook_router(HOOK)
    read = 0

    async def ten_megabytes() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 100_000
            yield b" " * 100_000

    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=ten_megabytes())

    assert (400, b"") == (answer.status_code, answer.content)
    assert read < 4_500_000


async def deliver(
    app: FastAPI, body: bytes, headers: dict[str, str], send: Callable[[Any], None]
) -> None:
    """Call the app as a server does; a body of b"" stands for a sender who hangs up."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": HOOK,
        "raw_path": HOOK.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("app", 80),
    }

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body, "more_body": False}
        return {"type": "http.disconnect"}

    async def async_send(message: Any) -> None:
        send(message)

    await app(scope, receive, async_send)


async def test_a_sender_who_hangs_up_halfway_is_no_error(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    router = webhook_router(HOOK)
    seen = recording(router)
    app = make_app(router)
    statuses = []

    async with running(app):
        await deliver(app, b"", {}, lambda message: statuses.append(message.get("status")))

    assert [400, None] == statuses
    assert [] == seen


async def test_handlers_run_after_the_answer(make_app: MakeApp, webhooks: Webhooks) -> None:
    router = webhook_router(HOOK)
    app = make_app(router)
    happened = []
    body = event()

    @router.on(UserCreated)
    async def handler(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        happened.append("handler")

    async with running(app):
        await deliver(
            app, body, webhooks.sign(body), lambda message: happened.append(message["type"])
        )

    assert ["http.response.start", "http.response.body", "handler"] == happened


async def test_a_repeat_is_answered_and_calls_nobody(make_app: MakeApp, webhooks: Webhooks) -> None:
    router = webhook_router(HOOK)
    seen = recording(router)
    body = event()

    async with running(make_app(router)) as http:
        answers = [
            await http.post(HOOK, content=body, headers=webhooks.sign(body)) for _ in range(2)
        ]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert ["evt_1"] == seen


async def test_an_event_whose_answer_was_lost_is_handled_when_it_comes_again(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    router = webhook_router(HOOK)
    seen = recording(router)
    app = make_app(router)
    body = event()

    def fail(message: Any) -> None:
        raise OSError("The connection is gone.")

    async with running(app) as http:
        with pytest.raises(OSError, match="gone"):
            await deliver(app, body, webhooks.sign(body), fail)
        lost = list(seen)
        await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert [] == lost
    assert ["evt_1"] == seen


async def test_an_event_is_handled_when_nobody_can_tell_whether_it_is_new(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def add(self, event_id: str, /) -> bool:
            raise OSError("The database is away.")

    webhooks = Webhooks(emulator.secret_key, seen=Broken(), clock=emulator.clock)
    router = webhook_router(HOOK)
    seen = recording(router)
    app = FastAPI(
        lifespan=lifespan_with(
            lambda: AsyncTalkJS(emulator.app_id, emulator.secret_key), webhooks=lambda: webhooks
        )
    )
    app.include_router(router)
    body = event()

    async with running(app) as http:
        await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert ["evt_1"] == seen
    assert "The database is away." in caplog.text


async def test_a_handler_that_fails_is_logged_and_disturbs_nobody(
    make_app: MakeApp, webhooks: Webhooks, caplog: pytest.LogCaptureFixture
) -> None:
    router = webhook_router(HOOK)
    body = event()

    @router.on(UserCreated)
    async def careless(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        raise ZeroDivisionError("nothing to divide by")

    seen = recording(router)
    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert 200 == answer.status_code
    assert ["evt_1"] == seen
    assert "careless failed on the event evt_1 (user.created)" in caplog.text
    assert "nothing to divide by" in caplog.text


async def test_handlers_of_one_event_do_not_wait_for_each_other(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    router = webhook_router(HOOK)
    met = anyio.Event()
    body = event()

    @router.on(UserCreated)
    async def waits(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        await met.wait()

    @router.on(UserCreated)
    async def comes(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        met.set()

    with anyio.fail_after(10):
        async with running(make_app(router)) as http:
            answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert 200 == answer.status_code


@pytest.mark.parametrize("kind", ["user.created", "user.abducted"])
async def test_an_event_that_cannot_be_read_does_not_go_by_in_silence(
    make_app: MakeApp, webhooks: Webhooks, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    router = webhook_router(HOOK)
    seen = recording(router)
    body = event(kind=kind, user="not a user")

    with caplog.at_level(logging.WARNING):
        async with running(make_app(router)) as http:
            answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert 200 == answer.status_code
    assert [] == seen
    assert f"No handler takes the event evt_1 ({kind})" in caplog.text


@pytest.mark.parametrize("kind", ["user.created", str, None])
def test_only_a_class_of_events_can_have_a_handler(kind: Any) -> None:
    router = webhook_router(HOOK)

    with pytest.raises(ConfigurationError, match="kind: must be a class of"):
        router.on(kind)


async def test_a_route_of_the_users_own_gets_verified_events_only(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    app = make_app()
    stored = []
    body = event()

    @app.post("/mine")
    async def mine(event: WebhookEventDep) -> None:
        stored.append(event.id)

    async with running(app) as http:
        forged = await http.post("/mine", content=body)
        genuine = await http.post("/mine", content=body, headers=webhooks.sign(body))

    assert 400 == forged.status_code
    assert 200 == genuine.status_code
    assert ["evt_1"] == stored


async def test_a_bot_answers_what_the_emulator_delivers_in_process(
    make_app: MakeApp, emulator: Emulator
) -> None:
    router = webhook_router(HOOK)
    app = make_app(router)

    @router.on(MessageSent)
    async def answer(event: MessageSent, talkjs: AsyncTalkJS) -> None:
        if event.message.sender_id != "bot":
            await talkjs.messages.send(
                event.message.conversation_id, sender="bot", text="Yes?", idempotency_key=event.id
            )

    emulator.hooks.to(app, path=HOOK, events=["message.sent"])
    async with running(app):
        talkjs = app.state.talkjs
        for user in ("alice", "bot"):
            await talkjs.users.upsert(user, name=user)
        await talkjs.conversations.upsert("c1", participants=["alice", "bot"])
        emulator.act_as("alice").say("c1", "Bot?")
        emulator.hooks.duplicate()
        attempts = await emulator.hooks.settle()
        said = await talkjs.messages.list("c1").collect()

    assert [200, 200, 200] == [attempt.status for attempt in attempts]
    assert ["Yes?", "Bot?"] == [message.text for message in said]
