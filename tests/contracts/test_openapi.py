"""
`docs/openapi.yaml` and the emulator agree: schemathesis finds no answer that it does not describe.

Over real connections. The session "contract" has schemathesis; elsewhere these tests are skipped.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, Limits, RealClock
from talkjs_async.emulator.routes import ROUTES

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.yaml"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
DESTRUCTIVE = ("conversations.delete", "messages.delete", "participants.remove")

# The emulator answers 501 to what it does not have, on purpose, so such methods are not tried.
CONFIG = """
[phases.coverage]
unexpected-methods = []

[parameters]
"path.appId" = "{app_id}"
"""
EXISTING = """
"path.userId" = "alice"
"path.conversationId" = "chat"
"path.messageId" = "{message_id}"
"path.emoji" = ":party:"
"""

needs_schemathesis = pytest.mark.skipif(
    find_spec("schemathesis") is None,
    reason="schemathesis is not installed here: the session 'contract' has it",
)


@pytest.fixture
def filled() -> Iterator[tuple[Emulator, str, str]]:
    """An emulator on a port with Alice, Bob and a message: itself, its URL and the message's ID."""
    emulator = Emulator(clock=RealClock(), limits=Limits.off())
    with emulator.serve() as server:
        root = f"{server.base_url}/v1"
        headers = {"authorization": f"Bearer {emulator.secret_key}"}
        with httpx.Client(base_url=f"{root}/{emulator.app_id}", headers=headers) as http:
            http.put("/users", json={"alice": {"name": "Alice"}, "bob": {"name": "Bob"}})
            http.put("/conversations/chat", json={"participants": ["alice", "bob"]})
            message = {"type": "UserMessage", "sender": "alice", "text": "hi"}
            [sent] = http.post("/conversations/chat/messages", json=[message]).json()
            emulator.simulate_user("alice").come_online(conversation="chat")
            yield emulator, root, sent["id"]


@needs_schemathesis
def test_the_description_has_exactly_the_endpoints_of_the_emulator() -> None:
    yaml = import_module("yaml")
    paths: dict[str, dict[str, Any]] = yaml.safe_load(OPENAPI.read_text())["paths"]
    described = {
        (operation["operationId"], verb.upper(), path, operation["x-confidence"])
        for path, operations in paths.items()
        for verb, operation in operations.items()
        if verb != "parameters"
    }

    served = {
        (route.name, route.method, _full(route.path, app=not route.open), route.mark)
        for route in ROUTES
    }
    assert {(name, method, _shape(path), mark) for name, method, path, mark in described} == {
        (name, method, _shape(path), mark) for name, method, path, mark in served
    }


def _full(path: str, *, app: bool) -> str:
    return f"/{{appId}}{path}".removesuffix("/") if app else path


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if segment.startswith("{") else segment for segment in path.split("/"))


@needs_schemathesis
@pytest.mark.parametrize("ids", ["any", "existing"])
def test_no_answer_is_an_error_of_the_server_or_a_shape_that_is_not_described(
    filled: tuple[Emulator, str, str], tmp_path: Path, ids: str
) -> None:
    emulator, root, message_id = filled
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        CONFIG.format(app_id=emulator.app_id)
        + (EXISTING.format(message_id=message_id) if ids == "existing" else "")
    )
    choice = [
        argument
        for operation in (DESTRUCTIVE if ids == "existing" else ())
        for argument in ("--exclude-operation-id", operation)
    ]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
            *("run", str(OPENAPI), "--url", root),
            *("--header", f"Authorization: Bearer {emulator.secret_key}"),
            *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "5", "--seed", "1", "--warnings", "off", *choice),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    statuses = Counter(exchange.status for exchange in emulator.requests)
    assert 0 == done.returncode, done.stdout[-10_000:]
    assert 0 == sum(count for status, count in statuses.items() if status and status >= 500)
    reached = {exchange.operation for exchange in emulator.requests if exchange.status == 200}
    if ids == "existing":
        assert {route.name for route in ROUTES} - set(DESTRUCTIVE) == reached
