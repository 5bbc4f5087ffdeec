"""Tools that watch or replace the transport of httpx see the calls of a client with no options."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from talkjs_async import AsyncTalkJS, NotFound, OutcomeUnknown, RetryPolicy
from tests.hostile.raw_server import RawServer, right

pytestmark = pytest.mark.anyio


def tool(module: str) -> Any:
    """Import a tool; in CI, where all of them are installed, or fail."""
    return import_module(module) if os.environ.get("CI") else pytest.importorskip(module)


respx = tool("respx")
vcr = tool("vcr")
instrumentation = tool("opentelemetry.instrumentation.httpx")
tool("pytest_httpx")  # brings the fixture `httpx_mock`

KEY = "sk_test_key_of_at_least_32_characters"
ALICE = {"id": "alice", "name": "Alice", "createdAt": 1}
NOWHERE = "https://api.talkjs.test"
"""Never asked: what a tool lets through ends in an error."""


async def test_respx_answers_and_checks(anyio_backend_name: str) -> None:
    with respx.mock(base_url=NOWHERE) as mock:
        read = mock.get("/v1/app/users/alice").respond(json=ALICE)
        write = mock.put("/v1/app/users/alice").respond(json={})
        async with AsyncTalkJS("app", KEY, base_url=NOWHERE) as talkjs:
            user = await talkjs.users.get("alice")
            await talkjs.users.upsert("alice", name="Alice")

    assert "Alice" == user.name
    assert (1, 1) == (read.call_count, write.call_count)
    assert {"name": "Alice"} == json.loads(write.calls.last.request.content)


async def test_respx_shows_errors_as_they_are() -> None:
    with respx.mock(base_url=NOWHERE) as mock:
        mock.get("/v1/app/users/alice").respond(404)
        mock.get("/v1/app/users/bob").mock(side_effect=httpx.ReadTimeout)
        async with AsyncTalkJS(
            "app", KEY, base_url=NOWHERE, retry=RetryPolicy(attempts=1)
        ) as talkjs:
            with pytest.raises(NotFound):
                await talkjs.users.get("alice")
            with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
                await talkjs.users.get("bob")


async def test_pytest_httpx_answers_and_checks(httpx_mock: Any) -> None:
    httpx_mock.add_response(url=f"{NOWHERE}/v1/app/users/alice", json=ALICE)
    httpx_mock.add_response(method="PUT", match_json={"name": "Alice"}, json={})

    async with AsyncTalkJS("app", KEY, base_url=NOWHERE) as talkjs:
        user = await talkjs.users.get("alice")
        await talkjs.users.upsert("alice", name="Alice")

    assert "Alice" == user.name
    requests = httpx_mock.get_requests()
    assert ["GET", "PUT"] == [request.method for request in requests]
    assert all("authorization" in request.headers for request in requests)


@pytest.mark.parametrize("engine", ["httpx", "httpx2"])
async def test_vcrpy_records_and_replays(
    engine: Literal["httpx", "httpx2"], tmp_path: Path
) -> None:
    tape = tmp_path / "tape.yaml"
    recorder = vcr.VCR(filter_headers=["authorization"])
    with RawServer(right) as server, recorder.use_cassette(str(tape)):
        async with AsyncTalkJS("app", KEY, base_url=server.url, engine=engine) as talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            recorded = await talkjs.users.get("alice")

    with recorder.use_cassette(str(tape), record_mode="none") as cassette:
        async with AsyncTalkJS("app", KEY, base_url=server.url, engine=engine) as talkjs:
            await talkjs.users.upsert("alice", name="Alice")
            replayed = await talkjs.users.get("alice")

        assert cassette.all_played
    assert recorded == replayed
    assert [("PUT", "/v1/app/users/alice"), ("GET", "/v1/app/users/alice")] == server.seen
    assert "Bearer" not in await anyio.Path(tape).read_text()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What OpenTelemetry's instrumentor of httpx sees."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = instrumentation.HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


async def test_the_instrumentor_of_opentelemetry_sees_every_attempt(
    spans: InMemorySpanExporter,
) -> None:
    with RawServer(right) as server:
        async with AsyncTalkJS("app", KEY, base_url=server.url) as talkjs:
            await talkjs.users.get("alice")
            await talkjs.users.get("bob")

    assert ["GET", "GET"] == [span.name for span in spans.get_finished_spans()]
