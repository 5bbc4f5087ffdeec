"""Status and headers of answers: what TalkJS's support asks for, and no secret among it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async import (
    AsyncTalkJS,
    BadRequest,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TalkJSError,
    call_of,
)
from talkjs_async._core.classify import shown_headers
from talkjs_async.telemetry import AttemptEnded, TelemetryEvent
from tests.fixtures import MakeTalkJS

pytestmark = pytest.mark.anyio

SENT = {
    "X-Request-Id": "req-7",
    "CF-Ray": "8a-AMS",
    "Set-Cookie": "session=hush",
    "Authorization": "Bearer hush",
    "X-Api-Key": "hush",
    "X-Echo": "Bearer hush",
    "X-Other": "eyJhbGciOiJIUzI1NiJ9.hush",
}


@pytest.fixture
def answering(make_talkjs: MakeTalkJS, engine: str) -> Callable[..., AsyncTalkJS]:
    library = import_module(engine)

    def make(status: int, content: bytes, **options: Any) -> AsyncTalkJS:
        transport = library.MockTransport(
            lambda _: library.Response(status, content=content, headers=SENT)
        )
        return make_talkjs(transport=transport, retry=1, **options)

    return make


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, b"{}", BadRequest),
        (503, b"", TalkJSError),
        (302, b"", TalkJSError),
        (200, b"<html>", DecodeError),
        (200, b'{"id": 7}', DecodeError),
    ],
)
async def test_an_error_has_the_headers_of_its_answer(
    answering: Callable[..., AsyncTalkJS], status: int, content: bytes, kind: type[TalkJSError]
) -> None:
    with pytest.raises(kind) as caught:
        await answering(status, content).users.get("alice")

    error = pickle.loads(pickle.dumps(caught.value))
    assert ("req-7", "8a-AMS") == (error.headers["x-request-id"], error.headers["cf-ray"])
    assert status == error.status
    assert "hush" not in f"{error.headers}{error!r}{error}"


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"[[0, 404]]", NotFound),
        (200, b'[[0, 200, {"id": 7}]]', DecodeError),
        (200, b"<html>", DecodeError),
        (503, b"", ServerError),
    ],
)
async def test_an_error_of_a_call_in_a_batch_has_the_headers_of_the_batch(
    answering: Callable[..., AsyncTalkJS], status: int, content: bytes, kind: type[TalkJSError]
) -> None:
    talkjs = answering(status, content)

    [error] = await talkjs.batch(call_of(talkjs.users.get, "alice"), return_exceptions=True)

    assert isinstance(error, kind)
    assert "req-7" == error.headers["x-request-id"]


async def test_a_call_that_may_overflow_and_leaves_alone_has_the_headers_of_its_answer(
    answering: Callable[..., AsyncTalkJS],
) -> None:
    with pytest.raises(DecodeError) as caught:
        await answering(200, b'{"id": 7}', overflow_to_batch=True).users.get("alice")

    assert (200, "req-7") == (caught.value.status, caught.value.headers["x-request-id"])


async def test_an_unknown_outcome_has_the_headers_of_the_last_answer(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)
    statuses = iter((503, 429))
    transport = library.MockTransport(lambda _: library.Response(next(statuses), headers=SENT))

    with pytest.raises(OutcomeUnknown) as caught:
        await make_talkjs(transport=transport, retry=2).messages.send("c", sender="a", text="hi")

    assert "req-7" == caught.value.headers["x-request-id"]


async def test_an_error_without_an_answer_has_no_headers(
    make_talkjs: MakeTalkJS, engine: str
) -> None:
    library = import_module(engine)

    def break_off(_: Any) -> Any:
        raise library.ReadError("gone")

    talkjs = make_talkjs(transport=library.MockTransport(break_off), retry=1)

    with pytest.raises(OutcomeUnknown) as caught:
        await talkjs.users.get("alice")

    assert {} == caught.value.headers


@pytest.mark.parametrize("status", [200, 400])
async def test_the_event_of_an_attempt_has_the_headers(
    answering: Callable[..., AsyncTalkJS], status: int
) -> None:
    events: list[TelemetryEvent] = []
    talkjs = answering(status, b"{}", hooks=[events.append])

    with pytest.raises(TalkJSError):
        await talkjs.users.get("alice")

    (ended,) = (event for event in events if isinstance(event, AttemptEnded))
    assert "req-7" == ended.headers["x-request-id"]
    assert "hush" not in str(ended.headers)
    # A line of a log does not grow by them.
    assert "req-7" not in repr(ended)


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=2_000)), max_size=200))
def test_what_is_shown_is_bounded(headers: list[tuple[str, str]]) -> None:
    shown = shown_headers(headers)

    assert len(shown) <= 50
    assert all(len(value) <= 300 for value in shown.values())
    assert not any("cookie" in name or "auth" in name for name in shown)
