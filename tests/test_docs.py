"""The reference is what the code says, and the pages name only what is there."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, call_of
from talkjs_async.anonymous import AnonymousProjects
from talkjs_async.emulator import Emulator
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
        kind = type(endpoint.door)
        method = getattr(kind, endpoint.method.rpartition(".")[2], kind)
        said = f"{method.__doc__} {importlib.import_module(method.__module__).__doc__}"

        assert "Source:" in said, endpoint.method


@pytest.fixture
def engine() -> str:
    """One library is enough: what is sent does not depend on who sends it."""
    return "httpx"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "endpoint",
    [pytest.param(one, id=f"{one.method} {one.call.method}") for one in ENDPOINTS],
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

    door_name, _, name = endpoint.method.rpartition(".")
    if endpoint.method == "batch":
        await talkjs.batch(call_of(talkjs.app.get))
    else:
        door = anonymous if door_name == "AnonymousProjects" else getattr(talkjs, door_name)
        result = getattr(door, name)(*[ids[one] for one in endpoint.ids], **endpoint.arguments)
        await (result.collect() if hasattr(result, "collect") else result)
    await anonymous.aclose()

    exchange = emulator.requests[-1]
    assert (endpoint.route.name, 200) == (exchange.operation, exchange.status)


def test_no_two_examples_build_the_same_request_of_a_method() -> None:
    built = Counter((one.method, one.call.method, one.path) for one in ENDPOINTS)

    assert 1 == max(built.values())


def python_of_pages() -> list[Any]:
    return [
        pytest.param(page.name, code, id=f"{page.stem}-{number}")
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for number, code in enumerate(
            re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        )
    ]


@pytest.mark.parametrize(("page", "code"), python_of_pages())
def test_what_a_page_imports_is_there(page: str, code: str) -> None:
    tree = compile(code, page, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    compile(tree, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("talkjs_async"):
            module = importlib.import_module(node.module or "")
            assert [] == [each.name for each in node.names if not hasattr(module, each.name)]


def test_every_link_of_a_page_leads_to_a_file() -> None:
    broken = [
        (page.name, link)
        for page in (ROOT / "docs").rglob("*.md")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert [] == broken
