"""NO_PROXY is read leniently: an entry that means nothing matches nothing."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
import trustme

from talkjs_async import AsyncTalkJS
from talkjs_async._http.proxies import is_exempt
from talkjs_async.errors import ConnectFailed
from tests.hostile.raw_server import RawServer, answer, right, user
from tests.http.conftest import Client, Serve


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("api.talkjs.com", "*", True),
        ("api.talkjs.com", "talkjs.com", True),
        ("api.talkjs.com", ".talkjs.com", True),
        ("api.talkjs.com", "*.talkjs.com", True),
        ("talkjs.com", ".talkjs.com", True),
        ("API.TalkJS.com.", "a, api.talkjs.com ,b", True),
        ("api.talkjs.com", "a.test api.talkjs.com\tb.test", True),
        ("api.talkjs.com", "https://api.talkjs.com", True),
        ("api.talkjs.com", "api.talkjs.com:443", True),
        ("api.talkjs.com", "api.talkjs.com:8443", False),
        ("nottalkjs.com", "talkjs.com", False),
        ("api.talkjs.com", "", False),
        ("api.talkjs.com", ",,[::1],fd00::/8,10.0.0.0/8,[,:,.", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]", True),
        ("::1", "[::1]:443", True),
        ("fd00::5", "fd00::/8", True),
        ("fd00::5", "[fd00::]/8", False),
    ],
)
def test_an_entry_exempts_what_it_names(host: str, no_proxy: str, exempt: bool) -> None:
    assert exempt == is_exempt(host, 443, no_proxy)


@pytest.mark.anyio
@pytest.mark.parametrize("entry", ["[::1]", "fd00::/8", "[", "*bad*", "http://"])
async def test_an_entry_that_cannot_be_read_breaks_no_call(
    monkeypatch: pytest.MonkeyPatch, engine: str, entry: str
) -> None:
    with RawServer(right) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", entry)
        options: dict[str, Any] = {"base_url": "http://talkjs.test", "engine": engine}

        async with AsyncTalkJS("app", "sk_test_key_of_32_characters_or_more", **options) as talkjs:
            user = await talkjs.users.get("alice")

    assert "alice" == user.id
    assert [("GET", "http://talkjs.test/v1/app/users/alice")] == proxy.seen


@pytest.mark.anyio
async def test_the_proxy_that_is_given_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with RawServer(right) as proxy:
        monkeypatch.setenv("HTTP_PROXY", "http://unused.test:1")
        monkeypatch.setenv("NO_PROXY", "*")

        options: dict[str, Any] = {"base_url": "http://talkjs.test", "engine": engine}
        options["proxy"] = proxy.url.replace("http://", "http://me:hush@")
        async with AsyncTalkJS("app", "sk_test_key_of_32_characters_or_more", **options) as talkjs:
            await talkjs.users.get("alice")

    assert 1 == len(proxy.seen)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["proxy", "HTTP_PROXY"])
async def test_a_proxy_that_cannot_be_reached_is_named(
    monkeypatch: pytest.MonkeyPatch, engine: str, name: str
) -> None:
    proxy = "http://me:hush@127.0.0.1:1"
    options: dict[str, Any] = {"base_url": "http://talkjs.test", "engine": engine, "retry": 1}
    if name == "proxy":
        options["proxy"] = proxy
    else:
        monkeypatch.setenv(name, proxy)

    async with AsyncTalkJS("app", "sk_test_key_of_32_characters_or_more", **options) as talkjs:
        with pytest.raises(
            ConnectFailed, match=rf"the proxy 127.0.0.1:1, which {name} names: "
        ) as no:
            await talkjs.users.get("alice")

    assert "hush" not in str(no.value)


ENDS_OF_A_TUNNEL: dict[str, tuple[bytes, ...]] = {
    "a hang-up": (),
    "half an answer": (b"HTTP/1.1 200",),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n",),
    "another protocol": (b"HTTP/1.1 101 Switching\r\n\r\n",),
    "a tunnel that ends": (b"HTTP/1.1 200 Go on\r\n\r\n",),
    "an answer of the proxy's": (b"HTTP/1.1 200 Go on\r\n\r\n", answer(user("/mallory"))),
}


@pytest.mark.anyio
@pytest.mark.parametrize("end", ENDS_OF_A_TUNNEL)
async def test_nothing_has_left_when_a_proxy_of_the_same_host_opens_no_tunnel(
    authority: trustme.CA, serve: Serve, client: Client, over: str, end: str
) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in ENDS_OF_A_TUNNEL[end]:
            writer.write(piece)
        writer.close()

    with RawServer(right, converse=converse, tls=_tls(authority, over)) as proxy:
        talkjs = client(serve(right, tls=True), proxy=proxy.url)

        with pytest.raises(ConnectFailed) as error:
            await talkjs.notifications.send("c1", channels=["email"])

    assert 3 == error.value.attempts
    assert not error.value.maybe_done


def _tls(authority: trustme.CA, over: str) -> ssl.SSLContext | None:
    if over == "plain":
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context
