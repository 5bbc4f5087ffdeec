"""Webhooks of every kind, in process: what is answered, what is called, and when."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
import sniffio
from fastapi import FastAPI, Request

from talkjs_async import AsyncTalkJS, ConfigurationError, Webhooks
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import (
    WebhookEventDep,
    WebhookRouter,
    get_webhooks,
    lifespan_with,
    webhook_router,
)
from talkjs_async.models.events import BaseEvent, MessageSent, UnknownEvent, UserCreated
from tests.fastapi.apps import HOOK, MakeApp, running, webhook

pytestmark = pytest.mark.anyio


def recording(router: WebhookRouter) -> list[str]:
    """Collect the IDs of the events that reach a handler."""
    seen: list[str] = []

    @router.on(UserCreated)
    async def remember(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append(event.id)

    return seen


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

    body = webhook()
    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert (200, b"") == (answer.status_code, answer.content)
    assert ["every", "first: Alice", "second: emulator"] == sorted(called)


def doubled(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [*headers.items(), ("x-talkjs-signature", headers["X-TalkJS-Signature"])]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda sign: ({}, webhook()), id="no headers"),
        pytest.param(lambda sign: (sign(webhook()), webhook("evt_2")), id="another body"),
        pytest.param(lambda sign: (sign(webhook()), b""), id="no body"),
        pytest.param(lambda sign: (doubled(sign(webhook())), webhook()), id="two signatures"),
        pytest.param(lambda sign: (sign(webhook(), timestamp=1), webhook()), id="an old one"),
        pytest.param(
            lambda sign: ({**sign(webhook()), "X-TalkJS-Timestamp": "now"}, webhook()),
            id="no number",
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
    body = webhook()

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
    body = webhook()

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
    body = webhook()

    def fail(message: Any) -> None:
        raise OSError("The connection is gone.")

    async with running(app) as http:
        with pytest.raises(OSError, match="gone"):
            await deliver(app, body, webhooks.sign(body), fail)
        lost = list(seen)
        await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert [] == lost
    assert ["evt_1"] == seen


class UnreachableMemory:
    def add(self, event_id: str, /) -> bool:
        raise OSError("The database is away.")


async def test_an_event_is_handled_when_nobody_can_tell_whether_it_is_new(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    webhooks = Webhooks(emulator.secret_key, seen=UnreachableMemory(), clock=emulator.clock)
    router = webhook_router(HOOK)
    seen = recording(router)
    app = FastAPI(
        lifespan=lifespan_with(
            lambda: AsyncTalkJS(emulator.app_id, emulator.secret_key), webhooks=lambda: webhooks
        )
    )
    app.include_router(router)
    body = webhook()

    async with running(app) as http:
        await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert ["evt_1"] == seen
    assert "The database is away." in caplog.text


async def test_a_handler_that_fails_is_logged_and_disturbs_nobody(
    make_app: MakeApp, webhooks: Webhooks, caplog: pytest.LogCaptureFixture
) -> None:
    router = webhook_router(HOOK)
    body = webhook()

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
    body = webhook()

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
    body = webhook(kind=kind, user="not a user")

    with caplog.at_level(logging.WARNING):
        async with running(make_app(router)) as http:
            answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert 200 == answer.status_code
    assert [] == seen
    assert {
        "user.created": "The event evt_1 (user.created) is taken for an UnknownEvent: expected an "
        "object, got text at $.data.user",
        "user.abducted": "No handler takes the event evt_1 (user.abducted)",
    }[kind] in caplog.text


async def test_a_handler_of_all_events_hides_none_that_cannot_be_read(
    make_app: MakeApp, webhooks: Webhooks, caplog: pytest.LogCaptureFixture
) -> None:
    router = webhook_router(HOOK)
    seen = []

    @router.on(BaseEvent)
    async def note(event: BaseEvent, talkjs: AsyncTalkJS) -> None:
        seen.append(type(event))

    body = webhook(kind="user.created", user={"name": "Ann"})
    with caplog.at_level(logging.WARNING):
        async with running(make_app(router)) as http:
            await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert [UnknownEvent] == seen
    assert "got nothing at $.data.user.id" in caplog.text


async def test_the_route_is_nothing_for_the_apps_documentation(make_app: MakeApp) -> None:
    app = make_app(webhook_router(HOOK))

    async with running(app) as http:
        document = (await http.get("/openapi.json")).json()

    assert {} == document["paths"]


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
    body = webhook()

    @app.post("/mine")
    async def mine(event: WebhookEventDep) -> None:
        stored.append(event.id)

    async with running(app) as http:
        forged = await http.post("/mine", content=body)
        genuine = await http.post("/mine", content=body, headers=webhooks.sign(body))

    assert 400 == forged.status_code
    assert 200 == genuine.status_code
    assert ["evt_1"] == stored


async def test_a_route_of_the_users_own_may_keep_the_bytes_of_an_event(
    make_app: MakeApp, webhooks: Webhooks
) -> None:
    app = make_app()
    kept = []
    body = webhook()

    @app.post("/mine")
    async def mine(event: WebhookEventDep, request: Request) -> None:
        kept.append(await request.body())

    async with running(app) as http:
        answer = await http.post("/mine", content=body, headers=webhooks.sign(body))

    assert (200, [body]) == (answer.status_code, kept)


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

    emulator.webhooks.to(app, path=HOOK, events=["message.sent"])
    async with running(app):
        talkjs = app.state.talkjs
        for user in ("alice", "bot"):
            await talkjs.users.upsert(user, name=user)
        await talkjs.conversations.upsert("c1", participants=["alice", "bot"])
        emulator.simulate_user("alice").say("c1", "Bot?")
        emulator.webhooks.duplicate()
        attempts = await emulator.webhooks.settle()
        said = await talkjs.messages.list("c1").collect()

    assert [200, 200, 200] == [attempt.status for attempt in attempts]
    assert ["Yes?", "Bot?"] == [message.text for message in said]


async def cancelled_task() -> None:
    """Await what was cancelled elsewhere."""
    if sniffio.current_async_library() == "trio":
        raise BaseExceptionGroup("as from a nursery", [asyncio.CancelledError()])
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


async def cancel_itself() -> None:
    """Cancel the task that the handler runs in."""
    if sniffio.current_async_library() == "trio":
        raise SystemExit(3)
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


async def leave() -> None:
    raise SystemExit(3)


async def generator_exit() -> None:
    raise GeneratorExit


async def group() -> None:
    raise BaseExceptionGroup("of two", [ValueError(), KeyboardInterrupt()])


@pytest.mark.parametrize("fail", [cancelled_task, cancel_itself, leave, generator_exit, group])
async def test_no_failure_of_a_handler_touches_the_others(
    make_app: MakeApp,
    webhooks: Webhooks,
    caplog: pytest.LogCaptureFixture,
    fail: Callable[[], Awaitable[None]],
) -> None:
    router = webhook_router(HOOK)
    finished = []

    async def other(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        await anyio.sleep(0.01)
        finished.append(event.id)

    router.on(UserCreated)(other)

    @router.on(UserCreated)
    async def broken(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        await fail()

    router.on(UserCreated)(other)
    body = webhook()
    async with running(make_app(router)) as http:
        answer = await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert (200, ["evt_1", "evt_1"]) == (answer.status_code, finished)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "broken failed on the event evt_1 (user.created)" in record.getMessage()


async def test_handlers_end_with_what_they_run_in(make_app: MakeApp, webhooks: Webhooks) -> None:
    router = webhook_router(HOOK)
    cleaned = []

    @router.on(UserCreated)
    async def slow(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        try:
            await anyio.sleep(60)
        finally:
            cleaned.append(event.id)

    body = webhook()
    async with running(make_app(router)) as http:
        with anyio.move_on_after(0.2) as scope:
            await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert (True, ["evt_1"]) == (scope.cancelled_caught, cleaned)


class Callee:
    """An object that is called."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    async def __call__(self, event: UserCreated, talkjs: AsyncTalkJS) -> None:
        self._seen.append("object")


async def test_handlers_are_whatever_can_be_called(make_app: MakeApp, webhooks: Webhooks) -> None:
    router = webhook_router(HOOK)
    seen: list[str] = []

    async def bound(word: str, event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append(word)

    @router.on(UserCreated)
    def plain(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        seen.append("main thread" if in_main_thread() else "plain")

    router.on(UserCreated)(partial(bound, "partial"))
    router.on(UserCreated)(lambda event, talkjs: bound("lambda", event, talkjs))
    router.on(UserCreated)(Callee(seen))
    body = webhook()
    async with running(make_app(router)) as http:
        await http.post(HOOK, content=body, headers=webhooks.sign(body))

    assert ["lambda", "object", "partial", "plain"] == sorted(seen)


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


async def no_arguments() -> None: ...
async def three(event: object, talkjs: object, more: object) -> None: ...


@pytest.mark.parametrize("handler", [None, "name", no_arguments, three])
async def test_what_cannot_be_a_handler_is_refused_at_once(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match="must take the event and the client"):
        webhook_router(HOOK).on(UserCreated)(handler)


async def yields_later(event: object, talkjs: object) -> AsyncIterator[None]:
    yield


def yields(event: object, talkjs: object) -> Iterator[None]:
    yield


class Yielding:
    def __call__(self, event: object, talkjs: object) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    "handler", [yields, yields_later, Yielding(), partial(yields_later), Yielding().__call__]
)
async def test_a_handler_that_yields_and_so_never_runs_is_refused_at_once(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match="handler: must not yield"):
        webhook_router(HOOK).on(UserCreated)(handler)


@pytest.mark.parametrize("path", ["/hooks?key=1", "/hooks#top", "/hooks ", "/ hooks", "/hooks\n"])
async def test_a_path_that_no_request_has_is_refused_at_once(path: str) -> None:
    with pytest.raises(ConfigurationError, match="path: holds"):
        webhook_router(path)


@pytest.mark.parametrize("path", ["hooks", "https://example.com/hooks", None])
async def test_a_path_without_a_slash_is_refused_at_once(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="path: must begin with a slash"):
        webhook_router(path)


@pytest.mark.usefixtures("failing_log")
async def test_a_log_that_fails_decides_nothing_about_a_webhook(
    emulator: Emulator, make_app: MakeApp
) -> None:
    webhooks = Webhooks(emulator.secret_key, seen=UnreachableMemory(), clock=emulator.clock)
    router = webhook_router(HOOK)
    seen = []

    @router.on(UserCreated)
    async def careless(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        raise ZeroDivisionError

    @router.on(BaseEvent)
    async def careful(event: BaseEvent, talkjs: AsyncTalkJS) -> None:
        await anyio.sleep(0.01)
        seen.append(event.id)

    app = make_app(router)
    answers = []
    async with running(app) as http:
        app.dependency_overrides[get_webhooks] = lambda: webhooks
        for number, body in enumerate(
            (webhook("evt_0"), webhook("evt_1", "user.abducted"), webhook("evt_2", user="nobody"))
        ):
            for headers in (webhooks.sign(body), {}):
                answer = await http.post(HOOK, content=body, headers=headers)
                answers.append((number, answer.status_code, answer.content))

    assert [(n, status, b"") for n in range(3) for status in (200, 400)] == answers
    assert ["evt_0", "evt_1", "evt_2"] == seen
