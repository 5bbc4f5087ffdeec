"""A failed call shows where it went and no secret."""

from __future__ import annotations

import pickle
import traceback
from importlib import import_module
from typing import Any

import anyio
import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    ConnectFailed,
    OutcomeUnknown,
    RetryPolicy,
)
from tests.hostile.raw_server import Exchange, RawServer, answer, right
from tests.http.conftest import SECRET, Client, Serve

pytestmark = pytest.mark.anyio


class TestSecrets:
    @pytest.mark.parametrize("injected", [False, True])
    @pytest.mark.parametrize("end", ["drop", "status"])
    async def test_neither_a_cause_nor_a_frame_of_a_failed_call_holds_the_token(
        self, serve: Serve, client: Client, engine: str, end: str, injected: bool
    ) -> None:
        tokens: list[str] = []

        async def script(exchange: Exchange) -> None:
            tokens.append(exchange.head.decode().partition("Bearer ")[2].partition("\r\n")[0])
            if end == "status":
                await exchange.write(answer(status="500 No"))
            else:
                exchange.reset()

        async with import_module(engine).AsyncClient() as mine:
            options = {"http_client": mine} if injected else {}
            talkjs = client(serve(script), retry=RetryPolicy(attempts=1), **options)

            with pytest.raises(Exception) as caught:  # noqa: PT011 - any of ours
                await talkjs.users.get("alice")

        (token,) = tokens
        assert token
        assert token.encode() not in pickle.dumps(caught.value.__cause__)
        # The first frame is this test's.
        error = caught.value.with_traceback(caught.tb.tb_next)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert token not in "".join(shown.format())
        assert SECRET not in "".join(shown.format())

    async def test_errors_of_hooks_hold_no_token_in_their_frames(
        self, serve: Serve, client: Client, engine: str
    ) -> None:
        tokens: list[str] = []

        async def fail_within(_response: Any) -> None:
            raise ValueError("mine")

        async def fail(response: Any) -> None:
            tokens.append(response.request.headers["authorization"])
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fail_within, response)

        async with import_module(engine).AsyncClient(event_hooks={"response": [fail]}) as mine:
            talkjs = client(serve(right), http_client=mine, retry=RetryPolicy(attempts=1))
            with pytest.raises(OutcomeUnknown, match="ExceptionGroup in a hook") as caught:
                await talkjs.users.get("alice")

        assert caught.tb is not None
        error = caught.value.with_traceback(caught.tb.tb_next)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert tokens[0] not in "".join(shown.format())

    @pytest.mark.parametrize("around", ["{}\n", " {}", "\ufeff{}\r\n"], ids=ascii)
    async def test_what_stands_around_a_token_is_not_sent(
        self, serve: Serve, client: Client, around: str
    ) -> None:
        class FromAFile:
            def bearer(self, now: float) -> str:
                return around.format("token")

        heads: list[bytes] = []

        async def script(exchange: Exchange) -> None:
            heads.append(exchange.head)
            await right(exchange)

        await client(serve(script), auth=FromAFile()).users.get("alice")

        assert b"authorization: bearer token\r\n" in heads[0].lower()

    async def test_a_failed_connection_names_where_to_and_how_long(self, client: Client) -> None:
        with RawServer(right) as server:
            pass
        talkjs = client(server, retry=RetryPolicy(attempts=1))

        with pytest.raises(ConnectFailed, match=rf"no connection to localhost:{server.port} in 0"):
            await talkjs.users.get("alice")


@pytest.mark.parametrize(
    "arguments",
    [
        {"app_id": None},
        {"base_url": "ftp://x"},
        {"timeout": -1},
        {"proxy": "nonsense"},
        {"secret_key": f"-----BEGIN PRIVATE KEY-----{SECRET}-----END PRIVATE KEY-----"},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_no_frame_of_a_refused_construction_holds_the_key(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncTalkJS(**{"app_id": "app", "secret_key": SECRET, **arguments})

    error = caught.value.with_traceback(caught.tb.tb_next)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert SECRET not in "".join(shown.format())


def test_a_proxy_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="proxy: must look like") as caught:
        AsyncTalkJS("app", SECRET, proxy="gopher://me:hush@proxy:1")

    assert "hush" not in str(caught.value)
