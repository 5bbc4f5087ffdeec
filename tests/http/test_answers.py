"""An answer belongs to one request, and is bounded in time and size, whatever a server sends."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from functools import partial
from importlib import import_module
from typing import Any

import anyio
import pytest

from talkjs_async import (
    DecodeError,
    OutcomeUnknown,
    RetryPolicy,
    TalkJSError,
    TokenBucket,
    call_of,
)
from tests.hostile.raw_server import Exchange, always, answer, right, user
from tests.hostile.surplus import BODYLESS, FORMS
from tests.http.conftest import Client, Serve

pytestmark = pytest.mark.anyio

BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)


class TestAnotherCallsAnswer:
    @pytest.mark.parametrize("form", FORMS)
    async def test_bytes_behind_an_answer_reach_no_other_call(
        self, serve: Serve, client: Client, over: str, form: str
    ) -> None:
        async def script(exchange: Exchange) -> None:
            if exchange.on_connection == 0:
                await exchange.write(*FORMS[form](user(exchange.target)))
            else:
                await right(exchange)

        talkjs = client(serve(script, tls=over == "TLS"))

        names = [(await talkjs.users.get(name)).name for name in ("alice", "bob", "carol")]

        assert ["alice", "bob", "carol"] == names

    @pytest.mark.parametrize("surplus", [b"\r\n", b"junk", b"0\r\n\r\n", answer(b"[]")], ids=repr)
    async def test_bytes_behind_an_answer_spoil_no_call_that_cannot_be_repeated(
        self, serve: Serve, client: Client, over: str, surplus: bytes
    ) -> None:
        server = serve(always(answer() + surplus), tls=over == "TLS")
        talkjs = client(server)

        await talkjs.users.upsert("alice", name="Alice")
        await talkjs.request("POST", "/anything", json={})
        await talkjs.request("GET", "/anything")

        assert ["PUT", "POST", "GET"] == [method for method, _ in server.seen]

    @pytest.mark.parametrize("form", BODYLESS)
    async def test_a_body_that_the_framing_denies_reaches_no_other_call(
        self, serve: Serve, client: Client, over: str, form: str
    ) -> None:
        async def script(exchange: Exchange) -> None:
            if exchange.target.endswith("odd"):
                await exchange.write(*BODYLESS[form])
            else:
                await right(exchange)

        talkjs = client(serve(script, tls=over == "TLS"))

        ends: list[Any] = []
        for call in (
            partial(talkjs.users.upsert, "odd", name="Odd"),
            partial(talkjs.request, "POST", "/anything", json={}),
            partial(talkjs.users.get, "carol"),
        ):
            try:
                ends.append(await call())
            except TalkJSError as error:
                ends.append(type(error).__name__)

        assert ends[0] in {None, "APIError"}
        assert {} == ends[1]
        assert "carol" == ends[2].name

    async def test_bytes_that_come_while_a_connection_is_idle_reach_no_other_call(
        self, serve: Serve, client: Client, over: str
    ) -> None:
        idle: list[Exchange] = []

        async def script(exchange: Exchange) -> None:
            await right(exchange)
            idle.append(exchange)

        server = serve(script, tls=over == "TLS")
        talkjs = client(server)
        await talkjs.users.get("alice")
        await server.until(lambda: len(idle) == 1)
        await server.do(idle[0].write(answer(user("/mallory"))))

        bob = await talkjs.users.get("bob")

        assert "bob" == bob.name
        assert 2 == server.accepted

    async def test_an_answer_about_another_record_is_none_and_costs_the_connection(
        self, serve: Serve, client: Client
    ) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.write(answer(user("/mallory" if server.accepted == 1 else "/bob")))

        server = serve(script)
        talkjs = client(server)

        assert "bob" == (await talkjs.users.get("bob")).id
        assert 2 == server.accepted

    async def test_an_answer_to_another_batch_is_none_and_costs_the_connection(
        self, serve: Serve, client: Client, over: str
    ) -> None:
        async def script(exchange: Exchange) -> None:
            name = b"mallory" if server.accepted == 1 else b"bob"
            await exchange.write(
                answer(b'[[0,200,{"id":"%s","name":"B","createdAt":1}],[1,200,{}]]' % name)
            )

        server = serve(script, tls=over == "TLS")
        talkjs = client(server)

        bob, _ = await talkjs.batch(
            call_of(talkjs.users.get, "bob"), call_of(talkjs.users.upsert, "carol", name="C")
        )

        assert "bob" == bob.id
        assert 2 == server.accepted

    async def test_an_answer_that_is_always_about_another_record_is_our_error(
        self, serve: Serve, client: Client
    ) -> None:
        talkjs = client(serve(always(answer(user("/mallory")))))

        with pytest.raises(OutcomeUnknown, match="200, but it is about another record"):
            await talkjs.conversations.get("c1")

    async def test_a_cancelled_call_leaves_its_answer_to_no_other_call(
        self, serve: Serve, client: Client, over: str
    ) -> None:
        server = serve(right, tls=over == "TLS")
        talkjs = client(server)
        await talkjs.users.get("alice")

        def arrived(requests: int) -> bool:
            return len(server.seen) == requests

        for number in range(50):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talkjs.users.get, "alice")
                await server.until(partial(arrived, 2 * number + 2))
                tasks.cancel_scope.cancel()
            assert "bob" == (await talkjs.users.get("bob")).name

    async def test_a_thousand_calls_share_one_connection(
        self, serve: Serve, client: Client, over: str
    ) -> None:
        server = serve(right, tls=over == "TLS")
        talkjs = client(server, limiter=TokenBucket(rate=1e6, burst=2000))

        for _ in range(1000):
            await talkjs.users.get("alice")

        # The tickets of TLS 1.3 come unasked, and cost nothing.
        assert 1 == server.accepted


async def slowly(pieces: int) -> AsyncIterator[bytes]:
    """What is uploaded, a piece each tenth of a second."""
    for _ in range(pieces):
        await anyio.sleep(0.1)
        yield b"piece"


async def hints_without_end(exchange: Exchange) -> None:
    """A server that always has something to say, and never answers."""
    while True:
        await exchange.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await anyio.sleep(0.02)


class TestDeadline:
    @pytest.mark.parametrize("piece", [b"x", b"HTTP/1.1 103 Early Hints\r\n\r\n", b""], ids=repr)
    async def test_an_answer_that_never_ends_ends_with_the_attempt(
        self, serve: Serve, client: Client, over: str, piece: bytes
    ) -> None:
        async def script(exchange: Exchange) -> None:
            if piece == b"x":
                await exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n")
            while True:
                await exchange.write(piece)
                await anyio.sleep(0.02)

        limiter = TokenBucket()
        talkjs = client(
            serve(script, tls=over == "TLS"), attempt_timeout=0.3, limiter=limiter,
            retry=RetryPolicy(attempts=1),
        )  # fmt: skip

        with anyio.fail_after(20), pytest.raises(OutcomeUnknown):
            await talkjs.users.get("alice")

        assert 0 == limiter.statistics().in_flight

    async def test_the_clock_of_an_upload_starts_when_it_has_left(
        self, serve: Serve, client: Client
    ) -> None:
        talkjs = client(serve(always(answer(b'{"attachmentToken":"t"}'))), attempt_timeout=0.5)

        token = (
            await talkjs.files.upload(slowly(8), filename="a.txt", content_type="text/plain")
        ).token

        assert "t" == token

    async def test_an_upload_through_a_client_of_the_users_is_bounded_once_it_has_left(
        self, serve: Serve, engine: str, client: Client
    ) -> None:
        server = serve(hints_without_end)
        async with import_module(engine).AsyncClient() as mine:
            talkjs = client(server, http_client=mine, attempt_timeout=0.5)
            with anyio.fail_after(20), pytest.raises(OutcomeUnknown):
                await talkjs.files.upload(slowly(8), filename="a.txt", content_type="text/plain")

        assert 1 == len(server.seen)

    @pytest.mark.parametrize("pieces", [8, 40], ids=["the answer is slow", "the source is slow"])
    @pytest.mark.parametrize("whose", ["ours", "the user's"])
    async def test_an_upload_takes_no_longer_than_its_call_may_in_all(
        self, serve: Serve, engine: str, client: Client, whose: str, pieces: int
    ) -> None:
        server = serve(hints_without_end)
        async with import_module(engine).AsyncClient() as mine:
            own = {} if whose == "ours" else {"http_client": mine}
            talkjs = client(server, total_timeout=1.0, **own)
            began = anyio.current_time()
            with anyio.fail_after(20), pytest.raises(OutcomeUnknown):
                await talkjs.files.upload(
                    slowly(pieces), filename="a.txt", content_type="text/plain"
                )
            took = anyio.current_time() - began

        # The slow source alone takes four.
        assert took < 3.0

    async def test_a_client_of_the_users_is_bounded_too(
        self, serve: Serve, engine: str, client: Client
    ) -> None:
        library: Any = import_module(engine)

        async def script(exchange: Exchange) -> None:
            await exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n")
            while True:
                await exchange.write(b"x")
                await anyio.sleep(0.02)

        async with library.AsyncClient() as mine:
            talkjs = client(
                serve(script), http_client=mine, attempt_timeout=0.3, retry=RetryPolicy(attempts=1)
            )
            with anyio.fail_after(20), pytest.raises(OutcomeUnknown, match="200, but its body"):
                await talkjs.users.get("alice")


class TestBounds:
    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffff\r\n",
        ],
        ids=["to the end", "long", "chunks"],
    )
    async def test_a_body_without_end_is_an_error_and_is_not_asked_for_again(
        self, serve: Serve, client: Client, over: str, head: bytes
    ) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.write(head)
            while True:
                await exchange.write(b"x" * 65_536)

        server = serve(script, tls=over == "TLS")
        limiter = TokenBucket()
        talkjs = client(server, limiter=limiter, max_answer_bytes=1_000_000)

        with pytest.raises(DecodeError, match="GET /users/alice: expected at most 1000000 bytes"):
            await talkjs.users.get("alice")

        await server.until(lambda: server.open == 0)
        assert 1 == len(server.seen)
        assert 0 == limiter.statistics().in_flight

    async def test_an_answer_that_expands_without_end_is_an_error(
        self, serve: Serve, client: Client
    ) -> None:
        server = serve(always(answer(BOMB, headers=("content-encoding: gzip",))))
        talkjs = client(server)

        with pytest.raises(DecodeError, match="expected at most 16777216 bytes"):
            await talkjs.users.get("alice")

        assert 1 == len(server.seen)

    # Of a client of the user's the library's generators are left half-way; trio remarks on it.
    @pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
    )
    @pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
    @pytest.mark.parametrize("injected", [False, True])
    async def test_the_bound_is_of_the_body_to_the_byte(
        self, serve: Serve, client: Client, engine: str, over: str, framing: str, injected: bool
    ) -> None:
        body = user("/alice") + b" " * 900
        content = {
            "length": answer(body, headers=("x: " + "y" * 20_000,)),
            "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            + b"".join(b"1\r\n%c\r\n" % byte for byte in body)
            + b"0\r\n\r\n",
            "gzip": answer(gzip.compress(body), headers=("content-encoding: gzip",)),
        }[framing]
        server = serve(always(content), tls=over == "TLS" and not injected)
        async with import_module(engine).AsyncClient() as mine:
            options = {"http_client": mine} if injected else {}

            fits = client(server, max_answer_bytes=len(body), **options)
            assert "alice" == (await fits.users.get("alice")).name
            with pytest.raises(DecodeError, match=f"at most {len(body) - 1} bytes"):
                await client(server, max_answer_bytes=len(body) - 1, **options).users.get("alice")

    async def test_a_body_that_the_connection_ends_is_whole_only_if_tls_says_so(
        self, serve: Serve, client: Client
    ) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.write(b"HTTP/1.1 200 OK\r\n\r\n" + user("/alice"))
            if exchange.target.endswith("alice"):
                exchange.close()
            else:
                # The end of TCP without that of TLS: so looks a body that was cut on the way.
                exchange.cut()

        talkjs = client(serve(script, tls=True), retry=RetryPolicy(attempts=1))

        assert "alice" == (await talkjs.users.get("alice")).name
        with pytest.raises(OutcomeUnknown, match="200, but its body cannot be read"):
            await talkjs.users.get("bob")

    async def test_no_cookie_is_kept(self, serve: Serve, client: Client) -> None:
        seen: list[bytes] = []

        async def script(exchange: Exchange) -> None:
            seen.append(exchange.head.lower())
            await exchange.write(
                answer(user("/alice"), headers=(f"set-cookie: c{len(seen)}=1; Path=/",))
            )

        talkjs = client(serve(script))
        for _ in range(5):
            await talkjs.users.get("alice")

        assert not any(b"\r\ncookie:" in head for head in seen)
        async with talkjs._pipeline.connections.borrow() as http:
            assert [] == list(http.cookies.jar)
