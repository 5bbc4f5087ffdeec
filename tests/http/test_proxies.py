"""NO_PROXY is read leniently: an entry that means nothing matches nothing."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async._http.proxies import is_exempt
from talkjs_async.errors import ConnectFailed
from tests.hostile.raw_server import RawServer, right


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
