"""The README does what it says: its commands exist, its output is real, its snippets run."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async import AsyncTalkJS, Webhooks
from talkjs_async.cli import run
from talkjs_async.emulator import Emulator, RealClock

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


# The last two are run by test_pytest_plugin.py.
GREETING, CALLS, FASTAPI, BULK, WORKER, *_ = blocks("python")


def message_sent(conversation_id: str, *, sender: str, text: str) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "conversationId": conversation_id,
        "type": "UserMessage",
        "senderId": sender,
        "text": text,
        "createdAt": 1,
    }
    return {"id": "evt_1", "type": "message.sent", "createdAt": 1, "data": {"message": message}}


def run_block(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An emulator over TCP that the environment points to."""
    emulator = Emulator(clock=RealClock())
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        yield emulator


def test_the_first_command_prints_what_the_readme_shows() -> None:
    example = blocks("sh")[1].split()[-1]

    ran = subprocess.run(
        [sys.executable, ROOT / example], capture_output=True, text=True, check=True, timeout=300
    )

    assert blocks("text")[0] == ran.stdout


def test_the_second_command_is_the_one_that_ci_runs() -> None:
    command = blocks("sh")[3].strip()

    assert command in (ROOT / ".ci" / "run").read_text()


def test_installing_comes_first() -> None:
    assert "pip install talkjs-async\n" == blocks("sh")[0]


async def test_the_first_snippet_sends_a_message(served: Emulator) -> None:
    sent = await run_block(GREETING)["greet"]()

    assert [sent] == [commit.message_id for commit in served.commits.of("message.sent")]


async def test_the_snippet_of_calls_reads_and_writes(
    served: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncTalkJS() as talkjs:
        await run_block(CALLS)["ship"](talkjs, b"\x89PNG")

    assert 2 == len(served.commits.of("message.sent"))
    assert 1 == len(served.commits.of("reaction.added"))
    assert "Bob has not read what Alice wrote in order-7\n" == capsys.readouterr().out


async def test_the_fastapi_snippet_answers_a_request(
    served: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    app = run_block(FASTAPI)["app"]
    async with AsyncTalkJS() as talkjs:
        await talkjs.users.upsert("shop", name="Shop")
        await talkjs.conversations.upsert("order-7", participants=["shop"])

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client,
    ):
        answer = await client.post("/orders/order-7/shipped")
        body = json.dumps(message_sent("order-7", sender="shop", text="On its way!")).encode()
        headers = Webhooks(served.secret_key).sign(body)
        received = await client.post("/webhooks/talkjs", content=body, headers=headers)

    assert (200, "shop: On its way!\n") == (received.status_code, capsys.readouterr().out)
    assert served.commits.of("message.sent")[0].message_id == answer.json()["message"]


async def test_the_bulk_snippet_stores_every_customer(
    served: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    customers = [{"id": f"c{i}", "name": "C", "mail": "c@example.com"} for i in range(250)]
    sync = run_block(BULK)["sync"]

    first, second = await sync(customers), await sync(customers)

    assert 250 == len(served.commits.of("user.created"))
    assert (3, 250, 250) == (len(served.requests), first.done, second.unchanged)


def test_the_commands_of_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split()[1:] for line in blocks("sh")[4].splitlines()]

    codes = [run([*line, "--help"]) for line in lines]

    assert [0] * 4 == codes
    assert 4 == capsys.readouterr().out.count("Usage:")


async def test_the_worker_snippet_reads_the_last_message(served: Emulator) -> None:
    remind = run_block(WORKER)["remind"]
    async with AsyncTalkJS() as talkjs:
        await talkjs.users.upsert("shop", name="Shop")
        await talkjs.conversations.upsert("order-7", participants=["shop"])
        silent = await remind(talkjs, "order-7")
        await talkjs.messages.send("order-7", sender="shop", text="Hello")

        assert "nothing was said" == silent
        assert "Hello" == await remind(talkjs, "order-7")
        assert "gone" == await remind(talkjs, "no-such-conversation")


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)

    assert links
    assert [] == [link for link in links if not (ROOT / link).exists()]


# The one with a database is run by tests/bulk/test_database.py.
ELSEWHERE = {ROOT / "examples/quickstart.py", ROOT / "examples/postgres_sync.py"}
EXAMPLES = sorted({*(ROOT / "examples").glob("*.py")} - ELSEWHERE)


@pytest.mark.harness
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs(example: Path) -> None:
    if example.stem == "django_view":
        pytest.importorskip("django")
    subprocess.run([sys.executable, example], check=True, capture_output=True, timeout=300)


def requirements(text: str) -> dict[str, set[str]]:
    """What the first `pip install` of a text installs: distributions, with their extras."""
    command = re.search(r"pip install (?:--quiet )?((?:[^\\\n]|\\\n)+)", text)
    words = shlex.split(command[1].replace("\\\n", "")) if command else []
    split = [word.partition("[") for word in words]
    return {name: {*extras.rstrip("]").split(",")} - {""} for name, _, extras in split}


def provided(wanted: dict[str, set[str]]) -> str:
    """The distributions that come with requirements, those of our extras included."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = wanted.get("talkjs-async", wanted.get(".", set()))
    behind = [each for extra in extras for each in ours["optional-dependencies"][extra]]
    return " ".join([*wanted, *ours["dependencies"], *behind])


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_an_example_says_what_it_needs_and_the_readme_installs_it(example: Path) -> None:
    tree = ast.parse(example.read_text())
    said = requirements(ast.get_docstring(tree) or "")
    all_at_once = requirements(README.partition("The other [examples]")[2])
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    } - {"talkjs_async", *sys.stdlib_module_names}

    assert [] == [name for name in imported if name not in provided(said)]
    assert said.pop("talkjs-async", set()) <= all_at_once["."]
    assert [] == [name for name in said if name not in provided(all_at_once)]


async def test_a_snippet_can_be_cancelled(
    served: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with anyio.move_on_after(0):
        await run_block(BULK)["sync"]([{"id": "a", "name": "A", "mail": "a@example.com"}])

    assert [] == list(served.requests)


def test_every_extra_is_named() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = README.partition("Extras:")[2].partition("\n\n")[0]

    assert set(extras["optional-dependencies"]) == set(re.findall(r"`\[(\w+)\]`", named))
