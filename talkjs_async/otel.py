"""
OpenTelemetry: a client span for every attempt. Needs the extra `[otel]`.

    AsyncTalkJS(hooks=[OpenTelemetryHook()])

The attributes have the names of OpenTelemetry's semantic conventions for HTTP clients, as far as a
hook knows them: not the server's address and not the whole URL, which holds IDs. The time of a span
is that of the exchange; the wait for the budget before it is an attribute of its own.
"""

from __future__ import annotations

import time
from typing import Any, Final

from opentelemetry import trace

from talkjs_async._version import __version__
from talkjs_async.telemetry import AttemptEnded, TelemetryEvent

__all__ = ["OpenTelemetryHook"]

_NANOSECONDS: Final = 1_000_000_000


class OpenTelemetryHook:
    """
    A hook that turns the events of a client into spans.

    It runs in the task that makes the call, so the spans hang below the span that is current there.
    A batch that carries waiting calls of several tasks (*overflow_to_batch*) hangs below none.

    Args:
        tracer_provider: Where the spans go. None: OpenTelemetry's global one.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("talkjs_async", __version__, tracer_provider)

    def __call__(self, event: TelemetryEvent) -> None:
        """Record *event*, if it is the end of an attempt."""
        if not isinstance(event, AttemptEnded):
            return
        ended = time.time_ns()
        attributes: dict[str, Any] = {
            "http.request.method": event.method,
            "url.path": event.path,
            "talkjs.budget.wait": event.waited,
        }
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.error is not None:
            attributes["error.type"] = event.error
        span = self._tracer.start_span(
            # Without the path: it holds IDs, and names of spans must be few.
            f"{event.method} TalkJS",
            kind=trace.SpanKind.CLIENT,
            start_time=ended - round(event.elapsed * _NANOSECONDS),
            attributes=attributes,
        )
        if event.error is not None:
            span.set_status(trace.StatusCode.ERROR)
        span.end(ended)
