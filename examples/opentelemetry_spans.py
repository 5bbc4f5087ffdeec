"""
A span for each attempt, below the span of what you do: `python examples/opentelemetry_spans.py`.

    pip install 'talkjs-async[otel]' opentelemetry-sdk
"""

import anyio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator
from talkjs_async.otel import OpenTelemetryHook


async def main() -> None:
    spans = InMemorySpanExporter()  # in a program: an exporter to your collector
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("shop")

    emulator = Emulator()
    emulator.faults.add("return-503", on="PUT /users/*", first=1)
    hook = OpenTelemetryHook(provider)
    async with AsyncTalkJS(**emulator.options, hooks=[hook]) as talkjs:
        with tracer.start_as_current_span("sign up"):
            await talkjs.users.upsert("alice", name="Alice")

    for span in spans.get_finished_spans():
        status = (span.attributes or {}).get("http.response.status_code", "")
        print(span.name, status, "" if span.parent is None else "below a span")


anyio.run(main)
