"""Base URLs: one spelling for each server, and a reason for each that is none."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async._core.base_url import base_url_of, checked_url
from talkjs_async.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "https://api.talkjs.com",
        "HTTPS://API.TALKJS.COM",
        "https://api.talkjs.com:443",
        "https://api.talkjs.com.",
        "https://api.talkjs.com/",
        "  https://api.talkjs.com\n",
        "\ufeffhttps://api.talkjs.com",
    ],
)
def test_each_server_has_one_spelling(url: str) -> None:
    assert "https://api.talkjs.com" == checked_url(url)


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://localhost:80", "http://localhost"),
        ("https://proxy.example/talkjs/", "https://proxy.example/talkjs"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://my_emulator:8080", "http://my_emulator:8080"),
        ("http://[fe80::1%eth0]:8080", "http://[fe80::1%eth0]:8080"),
        ("http://[fe80::1%25eth0]:8080", "http://[fe80::1%eth0]:8080"),
        ("http://[FE80::1%25Eth0]", "http://[fe80::1%Eth0]"),
        ("http://\uff11\uff12\uff17.0.0.1", "http://127.0.0.1"),
        ("https://proxy\u3002example", "https://proxy.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://x:0443/a%2Fb", "https://x/a%2Fb"),
    ],
)
def test_servers_of_all_kinds_are_taken(url: str, spelling: str) -> None:
    assert spelling == checked_url(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://[::1", "is no URL"),
        ("http://x:abc", "is no URL"),
        ("http://x:99999", "is no URL"),
        ("http://x:0", "a port from 1"),
        ("http://x:", "a port from 1"),
        ("http://x y", "blanks"),
        ("http://x\ty", "blanks"),
        ("http://x\\y", "backslashes"),
        ("http://x#y", "no fragment"),
        ("http://x#", "no fragment"),
        ("http://x?y=1", "no query"),
        ("http://x?", "no query"),
        ("http://" + "a" * 70, "labels"),
        ("http://" + ".".join(["a" * 60] * 5), "labels"),
        ("http://a..b", "labels"),
        ("http://-a.b", "labels"),
        ("http://ü" + "a" * 70, "domain name system"),
        ("http://[::zz]", "IPv6|no URL"),
        ("http://[::1]x", "a host and perhaps a port|no URL"),
        ("http://[::1]%eth0", "a host and perhaps a port|no URL"),
        ("http://[v1.x]", "IPv6|no URL"),
        ("http://[api.talkjs.com]", "IPv6|no URL"),
        ("http://[fe80::1%]", "interface|IPv6|no URL"),
        ("http://[fe80::1%a|b]", "interface"),
        ("http://256.1.1.1", "IPv4"),
        ("http://1.2.3", "IPv4"),
        ("http://0x7f.1", "IPv4"),
        ("http://1.2.3.4.5", "IPv4"),
        ("https://xn--a", "domain name system"),
        ("https://xn--zzzzzzzz-999", "domain name system"),
        ("https://x/%", "percent-encoded"),
        ("https://x/%zz", "percent-encoded"),
        ("https://x/%2e%2E/y", "without dots"),
        ("https://x/a%2f..%2fy", "without dots"),
        ("https:api.talkjs.com", "did you mean 'https://api.talkjs.com'"),
        ("//api.talkjs.com", "did you mean 'https://api.talkjs.com'"),
        ("http://", "labels"),
        ("https:///v1", "labels"),
        ("api.talkjs.com", "did you mean 'https://api.talkjs.com'"),
        ("ftp://api.talkjs.com", "not 'ftp'"),
        ("https://x/../y", "without dots"),
        ("https://x/ü", "percent-encoded"),
        ("https://me:hush@x", "user name"),
        ("", "did you mean 'https://api.talkjs.com'"),
        ("https:", "did you mean 'https://api.talkjs.com'"),
        (7, "not int"),
        (b"https://x", "not bytes"),
    ],
)
def test_what_is_no_base_url_is_refused_with_the_reason(url: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        checked_url(url)

    assert "base_url" == caught.value.argument
    assert "hush" not in str(caught.value)


# The tables of the domain name system are loaded with the first host that needs them.
@settings(deadline=None)
@given(
    text=st.one_of(
        st.text(),
        st.text("htps:/[]@?#.%0a\\ :", min_size=1),
        st.text("0129.x-n:[]%/", min_size=1),
        st.ip_addresses().map(str),
        st.integers(),
    )
)
def test_whatever_is_given_ends_in_a_spelling_or_our_error(text: Any) -> None:
    for url in (text, f"http://{text}"):
        try:
            spelling = checked_url(url)
        except ConfigurationError as error:
            assert error.argument == "base_url"  # noqa: PT017 - either way is fine
        else:
            assert spelling == checked_url(spelling)
            for library in (httpx, httpx2):
                # Else the first call would fail, with an error that names no argument.
                assert library.URL(f"{spelling}/v1/app").host


def test_the_base_url_comes_from_the_environment_or_is_talkjs_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "https://api.talkjs.com" == base_url_of(None)
    monkeypatch.setenv("TALKJS_BASE_URL", "http://127.0.0.1:9/")
    assert "http://127.0.0.1:9" == base_url_of(None)
    assert "http://other" == base_url_of("http://other")
