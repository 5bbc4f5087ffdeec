"""The docs do what they say; the reference is what the code says, without a gap on either side."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, call_of
from talkjs_async.anonymous import AnonymousProjects
from talkjs_async.cli import run
from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.emulator.routes import ROUTES

ROOT = Path(__file__).parents[1]


def load(path: Path) -> Any:
    """Import a program that is not part of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load(ROOT / "docs" / "endpoints.py")
ENDPOINTS = list(reference.endpoints())


def test_the_page_of_endpoints_is_what_the_code_says() -> None:
    written = reference.PAGE.read_text()

    assert reference.page() == written, "run `python docs/endpoints.py`"


def test_every_request_of_the_sdk_has_a_route_in_the_emulator() -> None:
    assert [] == [endpoint.method for endpoint in ENDPOINTS if endpoint.route is None]


def test_every_route_of_the_emulator_has_a_method_in_the_sdk() -> None:
    reached = {endpoint.route.name for endpoint in ENDPOINTS}

    assert {route.name for route in ROUTES} == reached


def test_every_method_says_where_it_is_known_from() -> None:
    """In its own docstring, or in that of its module if all of them come from one place."""
    for endpoint in ENDPOINTS:
        kind = type(endpoint.resource)
        method = getattr(kind, endpoint.method.rpartition(".")[2], kind)
        said = f"{method.__doc__} {importlib.import_module(method.__module__).__doc__}"

        assert "Source:" in said, endpoint.method


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    page = load(ROOT / "docs" / "commands.py")

    assert page.page() == page.PAGE.read_text(), "run `python docs/commands.py`"


@pytest.mark.parametrize(
    "program", ["faults.py", "control.py", "retries.py", "errors.py", "events.py", "settings.py"]
)
def test_the_other_pages_are_what_the_code_says(program: str) -> None:
    page = load(ROOT / "docs" / program)

    assert page.page() == page.PAGE.read_text(), f"run `python docs/{program}`"


def test_the_page_of_switches_is_what_the_emulator_says() -> None:
    page = load(ROOT / "docs" / "switches.py")

    assert page.page() == page.PAGE.read_text(), "run `python docs/switches.py`"


def test_every_command_is_on_the_page_and_shows_its_own_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = load(ROOT / "docs" / "commands.py")
    names = [name for name, _ in page.commands(page.app)]

    helps = {}
    for name in names:
        assert 0 == run([*name.split(), "--help"])
        helps[name] = capsys.readouterr().out

    assert [] == [name for name in names if f"\n## {name}\n" not in page.PAGE.read_text()]
    assert [] == [name for name in names if f"sage: talkjs-async {name}" not in helps[name]]


@pytest.fixture
def engine() -> str:
    """One library is enough: what is sent does not depend on who sends it."""
    return "httpx"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "endpoint",
    [pytest.param(one, id=f"{one.method} {one.call.method} {one.path}") for one in ENDPOINTS],
)
async def test_every_method_really_reaches_its_route(
    talkjs: AsyncTalkJS, emulator: Emulator, endpoint: Any
) -> None:
    await talkjs.users.upsert("alice", name="Alice")
    await talkjs.conversations.upsert("chat", participants=["alice"])
    sent = await talkjs.messages.send("chat", sender="alice", text="hi")
    anonymous = AnonymousProjects(transport=emulator.transport, clock=emulator.clock)
    made = await anonymous.create()
    ids = {
        "user_id": "alice",
        "conversation_id": "chat",
        "message_id": sent.id,
        "emoji": "🎉",
        "access_token": made.access_token,
    }

    resource_name, _, name = endpoint.method.rpartition(".")
    if endpoint.method == "batch":
        await talkjs.batch(call_of(talkjs.app.get))
    else:
        resource = (
            anonymous if resource_name == "AnonymousProjects" else getattr(talkjs, resource_name)
        )
        result = getattr(resource, name)(
            **{one: ids[one] for one in endpoint.ids}, **endpoint.arguments
        )
        await (result.collect() if hasattr(result, "collect") else result)
    await anonymous.aclose()

    exchange = emulator.requests[-1]
    assert (endpoint.route.name, 200) == (exchange.operation, exchange.status)


def test_no_two_examples_build_the_same_request_of_a_method() -> None:
    built = Counter((one.method, one.call.method, one.path) for one in ENDPOINTS)

    assert 1 == max(built.values())


PAGES = sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


def blocks(page: str) -> list[tuple[str, str]]:
    """The Python blocks of a page, each with the output that is shown below it, if any."""
    text = (ROOT / "docs" / page).read_text()
    found = re.finditer(
        r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<output>.*?)```)?", text, re.DOTALL
    )
    return [(each["code"], each["output"] or "") for each in found]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator on a port, which the environment points to."""
    emulator = Emulator(clock=RealClock())
    with emulator.serve() as server:
        monkeypatch.setenv("TALKJS_BASE_URL", server.base_url)
        monkeypatch.setenv("TALKJS_APP_ID", emulator.app_id)
        monkeypatch.setenv("TALKJS_SECRET_KEY", emulator.secret_key)
        yield emulator


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "output"),
    [
        pytest.param(*block, id=f"{page}:{number}")
        for page in ["how-to/watching.md", "explanation/budget.md"]
        for number, block in enumerate(blocks(page))
    ],
)
async def test_the_examples_of_a_page_run_and_print_what_is_shown(
    served: Emulator, capsys: pytest.CaptureFixture[str], code: str, output: str
) -> None:
    compiled = compile(code, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    done = eval(compiled, {"__name__": "docs"})
    if inspect.isawaitable(done):
        await done

    assert capsys.readouterr().out.startswith(output)
    assert {200} >= {exchange.status for exchange in served.requests}


def holds(module: ModuleType, name: str) -> bool:
    """Whether *name* can be imported from *module*, be it a module itself."""
    return hasattr(module, name) or bool(importlib.util.find_spec(f"{module.__name__}.{name}"))


@pytest.mark.parametrize(
    ("page", "code"), [(page, code) for page in PAGES for code, _ in blocks(page)]
)
def test_what_a_page_imports_is_there(page: str, code: str) -> None:
    tree = compile(code, page, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    compile(tree, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("talkjs_async"):
            module = importlib.import_module(node.module or "")
            assert [] == [each.name for each in node.names if not holds(module, each.name)]


def test_every_link_of_a_page_leads_to_a_file() -> None:
    broken = [
        (page.name, link)
        for page in (ROOT / "docs").rglob("*.md")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert [] == broken


def test_the_page_of_retries_names_every_call_that_a_repeat_may_double() -> None:
    text = (ROOT / "docs" / "explanation" / "retries.md").read_text()
    (head,) = [line for line in text.splitlines() if line.startswith("| what happened")]
    harmless = " ".join(
        text.partition("A repeat is harmless")[2].partition("TalkJS is said")[0].split()
    )

    posts = {one.method: one.call for one in ENDPOINTS if one.call.method == "POST"}
    doubled = {method for method, call in posts.items() if not call.idempotent}
    assert doubled == set(re.findall(r"`(\w+\.\w+)`", head))
    assert "a POST through `request`" in head
    for method in posts.keys() - doubled - {"batch"}:
        name = "send_many" if method == "messages.send_many" else method
        assert f"`{name}`" in harmless, method
    assert {True} == {one.call.idempotent for one in ENDPOINTS if one.call.method != "POST"}
