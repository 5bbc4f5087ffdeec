"""OpenTelemetry: a span per attempt."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from talkjs_async import NotFound, TokenBucket
from talkjs_async.emulator import Emulator
from talkjs_async.otel import OpenTelemetryHook
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


async def test_each_attempt_is_a_client_span_with_its_status(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    exporter: InMemorySpanExporter,
    provider: TracerProvider,
) -> None:
    talkjs = make_talkjs(hooks=[OpenTelemetryHook(provider)])
    emulator.faults.add("return-503", first=1)

    with pytest.raises(NotFound):
        await talkjs.users.get("alice")

    first, second = exporter.get_finished_spans()
    assert {SpanKind.CLIENT} == {first.kind, second.kind}
    assert {"GET TalkJS"} == {first.name, second.name}
    assert [503, 404] == [
        dict(span.attributes or {})["http.response.status_code"] for span in (first, second)
    ]
    assert 1 == dict(second.attributes or {})["http.request.resend_count"]
    assert StatusCode.ERROR == first.status.status_code


async def test_spans_hang_below_the_span_of_the_caller(
    make_talkjs: MakeTalkJS, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    talkjs = make_talkjs(hooks=[OpenTelemetryHook(provider)])

    with provider.get_tracer("test").start_as_current_span("handler") as handler:
        await talkjs.users.list().collect()

    attempt = exporter.get_finished_spans()[0]
    assert attempt.parent is not None
    assert handler.get_span_context().span_id == attempt.parent.span_id
    assert StatusCode.UNSET == attempt.status.status_code


async def test_attributes_have_names_of_the_conventions_or_of_ours(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    exporter: InMemorySpanExporter,
    provider: TracerProvider,
) -> None:
    talkjs = make_talkjs(hooks=[OpenTelemetryHook(provider)])
    emulator.faults.add("return-503", first=1)
    emulator.faults.add("refuse", nth=2)

    await talkjs.users.list().collect()

    used = {name for span in exporter.get_finished_spans() for name in span.attributes or {}}
    assert {
        # Semantic conventions for HTTP client spans, 1.23 and later.
        "error.type",
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "url.path",
        # No convention has a wait before the request.
        "talkjs.budget.wait",
    } == used


async def test_a_batch_that_carries_waiting_calls_hangs_below_no_span(
    make_talkjs: MakeTalkJS,
    emulator: Emulator,
    exporter: InMemorySpanExporter,
    provider: TracerProvider,
) -> None:
    talkjs = make_talkjs(
        limiter=TokenBucket(1e-6, 1, tokens=0, clock=emulator.clock),
        overflow_to_batch=True,
        hooks=[OpenTelemetryHook(provider)],
    )

    with provider.get_tracer("test").start_as_current_span("handler"):
        await talkjs.users.upsert("alice", name="Alice")

    batch = exporter.get_finished_spans()[0]
    assert "POST TalkJS" == batch.name
    assert batch.parent is None
