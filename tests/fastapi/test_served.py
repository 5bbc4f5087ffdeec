"""Real apps under a real uvicorn, with real requests: the docs, the example, hang-ups, shutdown."""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import jwt
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from talkjs_async import AsyncTalkJS, Webhooks
from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.fastapi import TalkJSDep, lifespan, webhook_router
from talkjs_async.models.events import UserCreated
from tests.fastapi.apps import HOOK, TIMEOUT, Served, wait_until, webhook

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fastapi_app.py"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator on a port, which the environment points to."""
    emulator = Emulator(clock=RealClock())
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        yield emulator


def names_of_docs(page: str) -> dict[str, Any]:
    """Run all Python blocks of a page, one after the other, and return what they define."""
    text = (ROOT / "docs" / "how-to" / page).read_text()
    names: dict[str, Any] = {"__name__": page}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


def app_of_example() -> FastAPI:
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    app: FastAPI = example.app
    return app


def fill(emulator: Emulator, *users: str) -> None:
    """Give the emulator some users who share the conversation c1."""

    async def run() -> None:
        async with AsyncTalkJS() as talkjs:
            for user in users:
                await talkjs.users.upsert(user, name=user)
            await talkjs.conversations.upsert("c1", participants=list(users))

    anyio.run(run)
    emulator.requests.clear()


def said_in(emulator: Emulator) -> list[tuple[str | None, str | None]]:
    """Sender and text of all messages in c1, oldest first."""

    async def run() -> list[tuple[str | None, str | None]]:
        async with AsyncTalkJS() as talkjs:
            messages = await talkjs.messages.list("c1").collect()
        return [(message.sender_id, message.text) for message in reversed(messages)]

    return anyio.run(run)


@pytest.mark.parametrize(
    ("app", "bot", "answer"),
    [
        pytest.param(lambda: names_of_docs("fastapi.md")["app"], "shop", "Thanks!", id="fastapi"),
        pytest.param(lambda: names_of_docs("webhooks.md")["app"], "shop", "Thanks!", id="webhooks"),
        pytest.param(app_of_example, "bot", "You said: Hello", id="example"),
    ],
)
def test_an_app_of_the_docs_answers_a_webhook_that_was_really_sent(
    emulator: Emulator, app: Any, bot: str, answer: str
) -> None:
    fill(emulator, "alice", bot)

    with Served(app()) as server:
        emulator.webhooks.to(server.url + HOOK, events=["message.sent"])
        emulator.simulate_user("alice").say("c1", "Hello")
        # The app hears its own answer, too, and must leave it at that.
        wait_until(lambda: 2 == len(emulator.webhooks.deliveries))

    assert [200, 200] == [delivery.status for delivery in emulator.webhooks.deliveries]
    assert [("alice", "Hello"), (bot, answer)] == said_in(emulator)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_the_routes_of_the_docs_answer(emulator: Emulator) -> None:
    fill(emulator, "shop")

    with Served(names_of_docs("fastapi.md")["app"]) as server, httpx.Client() as http:
        sent = http.post(f"{server.url}/orders/c1/shipped")
        again = http.post(f"{server.url}/orders/c1/shipped")
        no_such_order = http.post(f"{server.url}/orders/none/shipped")
        token = http.get(f"{server.url}/talkjs-token", headers={"session": "of-alice"})
        stranger = http.get(f"{server.url}/talkjs-token", headers={"session": "mine"})

    assert [sent.json()["message"]] == [
        commit.message_id for commit in emulator.commits.of("message.sent")
    ]
    assert sent.json() == again.json()
    assert (404, {"detail": "Not Found"}) == (no_such_order.status_code, no_such_order.json())
    claims = jwt.decode(token.text, emulator.secret_key, algorithms=["HS256"], issuer="emulator")
    assert ("user", "alice") == (claims["tokenType"], claims["sub"])
    assert "no-store" == token.headers["cache-control"]
    assert 401 == stranger.status_code


def test_the_other_snippets_of_the_webhook_page_do_what_they_say(emulator: Emulator) -> None:
    page = names_of_docs("webhooks.md")
    body = webhook("evt_9", a=1)
    headers = Webhooks(emulator.secret_key).sign(body)

    with Served(page["app"]) as server, httpx.Client() as http:
        genuine = http.post(f"{server.url}/webhooks/stored", content=body, headers=headers)
        forged = http.post(f"{server.url}/webhooks/stored", content=body + b" ", headers=headers)

    assert (200, 400) == (genuine.status_code, forged.status_code)
    assert {"evt_9": {"a": 1}} == page["table"]
    assert 200 == page["receive"](page["headers"], page["body"])
    assert 400 == page["receive"](page["headers"], page["body"] + b" ")


def test_the_example_ends_by_itself_and_shows_the_answer() -> None:
    ran = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, check=True, timeout=60
    )

    assert "alice: Hello, bot\nbot: You said: Hello, bot\n" == ran.stdout
    assert "" == ran.stderr


@pytest.mark.parametrize("middleware", [False, True])
def test_a_slow_handler_does_not_delay_the_answer(emulator: Emulator, *, middleware: bool) -> None:
    router = webhook_router(HOOK)
    release, done = threading.Event(), threading.Event()
    answers = []

    @router.on(UserCreated)
    async def slow(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        await anyio.to_thread.run_sync(release.wait, TIMEOUT)
        done.set()

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    if middleware:

        @app.middleware("http")
        async def pass_on(request: Request, call_next: Any) -> Any:
            return await call_next(request)

    signer = Webhooks(emulator.secret_key)
    with Served(app) as server, httpx.Client() as http:
        # The second one comes by the same connection.
        for body in (webhook("evt_1"), webhook("evt_2")):
            answer = http.post(server.url + HOOK, content=body, headers=signer.sign(body))
            answers.append((answer.status_code, done.is_set()))
        release.set()

    assert [(200, False), (200, False)] == answers
    assert done.is_set()


def test_an_app_that_ends_lets_its_handlers_finish_with_an_open_client(emulator: Emulator) -> None:
    fill(emulator, "alice", "bot")
    router = webhook_router(HOOK)
    started, release = threading.Event(), threading.Event()
    body = webhook()

    @router.on(UserCreated)
    async def late(event: UserCreated, talkjs: AsyncTalkJS) -> None:
        started.set()
        await anyio.to_thread.run_sync(release.wait, TIMEOUT)
        await talkjs.messages.send("c1", sender="bot", text="Better late than never.")

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    with Served(app) as server:
        headers = Webhooks(emulator.secret_key).sign(body)
        httpx.post(server.url + HOOK, content=body, headers=headers)
        assert started.wait(TIMEOUT)
        server.stop()
        release.set()

    assert [("bot", "Better late than never.")] == said_in(emulator)


@contextmanager
def callers_who_hang_up(server: Served, path: str, count: int) -> Iterator[None]:
    """Ask for *path* from many sockets, and close them all at the end of the block."""
    port = int(server.url.rpartition(":")[2])
    with ExitStack() as sockets:
        for _ in range(count):
            caller = socket.create_connection(("127.0.0.1", port), TIMEOUT)
            sockets.enter_context(caller)
            caller.sendall(f"GET {path} HTTP/1.1\r\nHost: app\r\n\r\n".encode())
        yield


@pytest.mark.parametrize("callers", [1, 30])
# Starlette cancels a streaming answer; a plain route runs to its end.
@pytest.mark.parametrize("path", ["/stream", "/plain"])
def test_callers_who_hang_up_leave_pool_and_bucket_healthy(
    emulator: Emulator, path: str, callers: int
) -> None:
    fill(emulator, "alice")
    app = FastAPI(lifespan=lifespan)

    @app.get("/plain")
    async def plain(talkjs: TalkJSDep) -> str | None:
        return (await talkjs.users.get("alice")).name

    @app.get("/stream")
    async def stream(talkjs: TalkJSDep) -> StreamingResponse:
        async def names() -> AsyncIterator[str]:
            yield (await talkjs.users.get("alice")).name or ""

        return StreamingResponse(names())

    def under_way() -> int:
        budget = app.state.talkjs.budget
        calls: int = budget.in_flight + budget.waiting_interactive
        return calls

    if path == "/stream":
        # No answer ever comes: what ends these calls is that they are cancelled.
        emulator.faults.add("stall-before-commit", on="GET /users/*", first=callers)
    with Served(app) as server, httpx.Client() as http:
        # The lifespan has run when the first answer is here.
        http.get(server.url)
        # While this thread has the lock, the emulator does nothing.
        with emulator.lock, callers_who_hang_up(server, path, callers):
            wait_until(lambda: callers == under_way())
        wait_until(lambda: 0 == under_way())
        emulator.faults.clear()
        answers = [http.get(server.url + path) for _ in range(10)]
        budget = app.state.talkjs.budget

    assert [(200, True)] * 10 == [(each.status_code, "alice" in each.text) for each in answers]
    assert (0, 0) == (budget.in_flight, budget.waiting_interactive)
    assert 0 == budget.throttled
