"""The pytest plugin, as projects of other teams use it: in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGIN = "talkjs_async.pytest_plugin"
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))

RUNNERS = {
    "anyio": ["-p", "no:asyncio", "-p", "no:trio"],
    "asyncio, strict": ["-p", "no:trio", "-o", "asyncio_mode=strict"],
    "asyncio, auto": ["-p", "no:trio", "-o", "asyncio_mode=auto"],
    "trio": ["-p", "no:asyncio"],
    "trio, auto": ["-p", "no:asyncio", "-o", "trio_mode=true"],
}
MARKS = {
    "anyio": "@pytest.mark.anyio",
    "asyncio, strict": "@pytest.mark.asyncio",
    "trio": "@pytest.mark.trio",
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a test module in a project that has nothing but it."""

    def run_tests(source: str, *options: str, **files: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_project.py").write_text(source)
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
        # From a source tree whose entry points were not installed, it has to be named.
        named = [] if INSTALLED else ["-p", PLUGIN]
        command = [sys.executable, "-W", "error::ResourceWarning", "-m", "pytest", *named]
        command += ["-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:hypothesispytest"]
        return subprocess.run(
            [*command, "-q", "-rA", "--no-header", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_tests


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the outcome of each test, by its name."""
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", done.stdout, re.MULTILINE)
    return {name: outcome for outcome, name in found}


BOT = """
from fastapi import FastAPI

from talkjs_async import AsyncTalkJS
from talkjs_async.fastapi import TalkJSDep, lifespan, webhook_router
from talkjs_async.models.events import MessageSent

router = webhook_router("/webhooks/talkjs")


@router.on(MessageSent)
async def answer(event: MessageSent, talkjs: AsyncTalkJS) -> None:
    message = event.message
    if message.sender_id != "bot":
        await talkjs.messages.send(
            message.conversation_id, sender="bot", text="Thanks!", idempotency_key=event.id
        )


app = FastAPI(lifespan=lifespan)
app.include_router(router)


@app.get("/name")
async def name(talkjs: TalkJSDep) -> str:
    return (await talkjs.users.get("alice")).name
"""

PROJECT = """
import pytest
from bot import app
from talkjs_async import NotFound


async def start(talkjs):
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.users.upsert("bot", name="Bot")
    await talkjs.conversations.upsert("c1", participants=["alice", "bot"])


MARK
async def test_a_client(talkjs, talkjs_emulator):
    await talkjs.users.upsert("alice", name="Alice")
    assert (await talkjs.users.get("alice")).name == "Alice"
    assert [200, 200] == [entry.status for entry in talkjs_emulator.requests]


MARK
async def test_each_test_starts_empty(talkjs):
    with pytest.raises(NotFound):
        await talkjs.users.get("alice")


MARK
@pytest.mark.talkjs_fault("drop-after-commit", on="POST /conversations/*/messages", first=1)
async def test_a_bot(talkjs, talkjs_emulator, talkjs_app):
    http = talkjs_app(app)
    await start(talkjs)
    talkjs_emulator.simulate_user("alice").say("c1", "Hello")
    await talkjs_emulator.webhooks.settle()
    texts = [message.plain_text() for message in await talkjs.messages.list("c1").collect()]
    assert ["Thanks!", "Hello"] == texts
    assert (await http.get("/name")).json() == "Alice"


MARK
async def test_the_lifespan_may_run(talkjs, talkjs_emulator, talkjs_app):
    http = talkjs_app(app)
    await start(talkjs)
    async with app.router.lifespan_context(app):
        assert app.state.talkjs is talkjs
        talkjs_emulator.simulate_user("alice").say("c1", "Hello")
        await talkjs_emulator.webhooks.settle()
        assert (await http.get("/name")).json() == "Alice"
    assert len(talkjs_emulator.commits.of("message.sent")) == 2


MARK
@pytest.mark.talkjs_limits(burst=3, rate=1)
async def test_a_day_later(talkjs, talkjs_emulator):
    await start(talkjs)
    first = await talkjs.messages.send("c1", sender="alice", text="a", idempotency_key="k")
    talkjs_emulator.advance(25 * 3600)
    second = await talkjs.messages.send("c1", sender="alice", text="a", idempotency_key="k")
    assert first.id != second.id
    assert talkjs_emulator.clock.monotonic() > 25 * 3600


@pytest.mark.talkjs_switches(delete_unknown="not_found")
@pytest.mark.talkjs_limits(enabled=False)
@pytest.mark.talkjs_clock("virtual", start=1_000_000_000)
def test_markers_reach_the_emulator(talkjs_emulator):
    assert talkjs_emulator.switches.delete_unknown == "not_found"
    assert talkjs_emulator.limits.enabled is False
    assert talkjs_emulator.clock.time() == 1_000_000_000


MARK
async def test_over_tcp(talkjs_server, talkjs, talkjs_emulator):
    from talkjs_async import AsyncTalkJS

    await talkjs.users.upsert("alice", name="Alice")
    async with AsyncTalkJS() as other:
        assert (await other.users.get("alice")).name == "Alice"
    talkjs_emulator.advance(25 * 3600)
    async with AsyncTalkJS() as other:
        assert (await other.users.get("alice")).name == "Alice"
    assert len(talkjs_emulator.requests) == 3
"""


@pytest.mark.harness
@pytest.mark.parametrize("runner", RUNNERS)
def test_the_fixtures_work_under_whatever_runs_async_tests(run: Run, runner: str) -> None:
    source = PROJECT.replace("MARK\n", f"{MARKS.get(runner, '')}\n")
    if runner == "trio, auto":
        source = source.replace("def test_markers", "async def test_markers")

    done = run(source, *RUNNERS[runner], bot=BOT)

    assert 0 == done.returncode, done.stdout
    assert set(outcomes(done).values()) == {"PASSED"}
    assert len(outcomes(done)) == (13 if runner == "anyio" else 7)


def test_the_page_works_as_printed(run: Run) -> None:
    page = (ROOT / "docs" / "how-to" / "testing.md").read_text()
    blocks = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", page, re.DOTALL)
    files = dict(blocks)

    for name, passed in (("test_bot", 6), ("test_forgery", 2)):
        done = run(files[name], *RUNNERS["anyio"], bot=files["bot"])

        assert 0 == done.returncode, done.stdout
        assert f"{passed} passed" in done.stdout


def test_the_tests_of_the_readme_work_as_printed(run: Run) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    done = run("".join(blocks[2:]), *RUNNERS["anyio"])

    assert 0 == done.returncode, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.harness
def test_tests_may_run_side_by_side(run: Run) -> None:
    source = PROJECT.replace("MARK\n", "@pytest.mark.anyio\n")

    done = run(source, *RUNNERS["anyio"], "-n", "2", bot=BOT)

    assert 0 == done.returncode, done.stdout
    assert "13 passed" in done.stdout


FAILING = """
import pytest
from talkjs_async import APIError


@pytest.mark.talkjs_fault("return-503", on="GET /users/*", first=2)
def test_an_unfired_fault(talkjs_emulator):
    pass


@pytest.mark.anyio
async def test_an_unknown_route(talkjs):
    with pytest.raises(APIError):
        await talkjs.request("GET", "/nothing")


@pytest.mark.anyio
async def test_a_refused_webhook(talkjs_emulator):
    async def app(scope, receive, send):
        body = b"The clock is wrong."
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": body})

    talkjs_emulator.webhooks.to(app)
    talkjs_emulator.webhooks.trigger("notification.opened", {})
    await talkjs_emulator.webhooks.settle()


@pytest.mark.anyio
async def test_an_app_that_raises(talkjs_emulator):
    async def app(scope, receive, send):
        raise RuntimeError("lifespan did not run")

    talkjs_emulator.webhooks.to(app)
    talkjs_emulator.webhooks.trigger("notification.opened", {})
    await talkjs_emulator.webhooks.settle()
    assert False


@pytest.mark.talkjs_switches(nonsense=1)
def test_an_unknown_switch(talkjs_emulator):
    pass


@pytest.mark.talkjs_clock("sundial")
def test_an_unknown_clock(talkjs_emulator):
    pass


@pytest.mark.talkjs_allow("everything")
def test_an_unknown_permission(talkjs_emulator):
    pass


@pytest.mark.anyio
@pytest.mark.talkjs_fault("return-503", first=1)
@pytest.mark.talkjs_allow("unfired_faults", "unknown_routes", "refused_webhooks")
async def test_all_of_it_may_be_allowed(talkjs_emulator, talkjs):
    talkjs_emulator.webhooks.to("http://127.0.0.1:1/")
    talkjs_emulator.webhooks.trigger("notification.opened", {})
    await talkjs_emulator.webhooks.settle()


@pytest.mark.anyio
async def test_a_forgery_is_meant_to_be_refused(talkjs_emulator):
    talkjs_emulator.webhooks.to("http://127.0.0.1:1/")
    talkjs_emulator.webhooks.trigger("notification.opened", {})
    talkjs_emulator.webhooks.tamper("signature")
    await talkjs_emulator.webhooks.settle()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_retry_that_was_accepted_is_no_refusal(talkjs_emulator):
    statuses = [500, 200]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": statuses.pop(0), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    talkjs_emulator.webhooks.to(app)
    talkjs_emulator.webhooks.trigger("notification.opened", {})
    await talkjs_emulator.webhooks.settle()
"""


def test_a_test_fails_for_what_it_did_not_notice(run: Run) -> None:
    done = run(FAILING, *RUNNERS["anyio"])

    assert {
        "test_an_unfired_fault": "FAILED",
        "test_an_unknown_route[asyncio]": "FAILED",
        "test_an_unknown_route[trio]": "FAILED",
        "test_a_refused_webhook[asyncio]": "FAILED",
        "test_a_refused_webhook[trio]": "FAILED",
        "test_an_app_that_raises[asyncio]": "FAILED",
        "test_an_app_that_raises[trio]": "FAILED",
        "test_an_unknown_switch": "ERROR",
        "test_an_unknown_clock": "ERROR",
        "test_an_unknown_permission": "FAILED",
        "test_all_of_it_may_be_allowed[asyncio]": "PASSED",
        "test_all_of_it_may_be_allowed[trio]": "PASSED",
        "test_a_forgery_is_meant_to_be_refused[asyncio]": "PASSED",
        "test_a_forgery_is_meant_to_be_refused[trio]": "PASSED",
        "test_a_retry_that_was_accepted_is_no_refusal[asyncio]": "PASSED",
    } == outcomes(done)
    for reason in (
        "The fault 'return-503' on GET /users/* fired 0 times",
        "The emulator has no GET /nothing.",
        "answered 400 to the webhook 'notification.opened': The clock is wrong.",
        "did not answer to the webhook 'notification.opened': RuntimeError: lifespan did not run",
        "There is no switch 'nonsense'; there are: limit_over_max",
        "talkjs_clock takes",
        "talkjs_allow knows unfired_faults, unknown_routes, refused_webhooks; not ['everything'].",
        "If that is meant: @pytest.mark.talkjs_allow('unknown_routes')",
    ):
        assert reason in done.stdout


def test_loading_the_plugin_imports_nothing_but_pytest() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        f"import {PLUGIN}\n"
        "print(*sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert {"talkjs_async", "talkjs_async._version", PLUGIN} == set(done.stdout.split())


def test_pytest_finds_the_plugin_by_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert {"talkjs": PLUGIN} == project["entry-points"]["pytest11"]
