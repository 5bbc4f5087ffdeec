"""The status of an answer counts as soon as it was read, whatever becomes of the body."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from talkjs_async import (
    BadRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RetryPolicy,
    ServerError,
    TalkJSError,
    TokenBucket,
)
from tests.hostile.raw_server import Exchange, always, answer
from tests.http.conftest import Client, Serve

pytestmark = pytest.mark.anyio


class TestStatus:
    async def test_a_429_throttles_whatever_its_body(self, serve: Serve, client: Client) -> None:
        server = serve(
            always(answer(b"xx", status="429 Slow", headers=("content-encoding: gzip",)))
        )
        limiter = TokenBucket()
        talkjs = client(server, limiter=limiter, retry=RetryPolicy(attempts=1))

        with pytest.raises(RateLimited):
            await talkjs.users.get("alice")

        assert 1 == limiter.statistics().throttled
        assert 0 == limiter.statistics().in_flight

    async def test_two_hundred_calls_meet_one_drain(self, serve: Serve, client: Client) -> None:
        refusal = answer(b"xx", status="429 Slow", headers=("content-encoding: gzip",))
        server = serve(always(refusal))
        limiter = TokenBucket()
        # Who would have to wait for the rate is told so instead.
        talkjs = client(server, limiter=limiter, retry=RetryPolicy(attempts=1), max_wait=0.2)
        ends: Counter[str] = Counter()

        async def call() -> None:
            try:
                await talkjs.users.get("alice")
            except TalkJSError as error:
                ends[type(error).__name__] += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(call)

        assert 200 == ends["RateLimited"] + ends["RateLimitWaitTimeout"]
        assert ends["RateLimited"] == len(server.seen) <= 24
        assert (0, len(server.seen)) == (
            limiter.statistics().in_flight,
            limiter.statistics().throttled,
        )

    async def test_a_429_counts_although_its_body_never_comes(
        self, serve: Serve, client: Client
    ) -> None:
        server = serve(always(answer(b"", status="429 Slow", length=9)))
        limiter = TokenBucket()
        talkjs = client(server, limiter=limiter)

        with anyio.move_on_after(0.5):
            await talkjs.users.get("alice")

        assert 1 == limiter.statistics().throttled

    @pytest.mark.parametrize(
        ("status", "kind"), [(400, BadRequest), (404, NotFound), (500, ServerError)]
    )
    async def test_an_error_status_counts_although_its_body_is_cut_short(
        self, serve: Serve, client: Client, status: int, kind: type[Exception]
    ) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.write(answer(b"{", status=f"{status} No", length=99))
            exchange.close()

        server = serve(script)
        talkjs = client(server, retry=RetryPolicy(attempts=1))

        with pytest.raises(kind):
            await talkjs.messages.send("c1", sender="alice", text="hi")

        assert 1 == len(server.seen)

    @pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 299])
    async def test_any_2xx_is_a_success(self, serve: Serve, client: Client, status: int) -> None:
        server = serve(always(answer(b'[{"id":"m1"}]', status=f"{status} Done")))

        sent = await client(server).messages.send("c1", sender="alice", text="hi")

        assert "m1" == sent.id
        assert 1 == len(server.seen)

    async def test_a_message_that_is_stored_without_a_word_is_sent(
        self, serve: Serve, client: Client
    ) -> None:
        server = serve(always(b"HTTP/1.1 204 No Content\r\n\r\n"))

        sent = await client(server).messages.send("c1", sender="alice", text="hi")

        assert "" == sent.id
        assert 1 == len(server.seen)

    async def test_a_call_without_a_result_succeeds_whatever_the_body_of_its_success(
        self, serve: Serve, client: Client
    ) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.write(answer(b"{", length=99))
            exchange.close()

        server = serve(script)
        talkjs = client(server)

        await talkjs.users.upsert("alice", name="Alice")

        assert 1 == len(server.seen)

    async def test_a_send_whose_receipt_is_unreadable_is_repeated_then_unknown(
        self, serve: Serve, client: Client
    ) -> None:
        bodies: list[bytes] = []

        async def script(exchange: Exchange) -> None:
            bodies.append(exchange.body)
            await exchange.write(answer(b"[", length=99))
            exchange.close()

        talkjs = client(serve(script))

        with pytest.raises(OutcomeUnknown) as caught:
            await talkjs.messages.send("c1", sender="alice", text="hi")

        assert 200 == caught.value.status
        assert 3 == len(bodies)
        assert 1 == len(set(bodies))

    @pytest.mark.parametrize(
        ("status", "requests"),
        [
            *((429, 3), (500, 3), (503, 3), (501, 1), (502, 1), (504, 1)),
            *((520, 1), (522, 1), (524, 1), (530, 1)),
        ],
    )
    async def test_only_the_word_of_talkjs_repeats_what_is_not_idempotent(
        self, serve: Serve, client: Client, status: int, requests: int
    ) -> None:
        server = serve(always(answer(status=f"{status} No", headers=("retry-after: 0",))))
        talkjs = client(server)

        with pytest.raises((ServerError, RateLimited)):
            await talkjs.notifications.send("c1", channels=["email"])

        assert requests == len(server.seen)
