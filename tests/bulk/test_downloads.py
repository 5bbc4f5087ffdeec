"""Files of messages: where they may come from, and what becomes of those that cannot be had."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkjs_async.bulk._downloads import DownloadRefused, Downloads

pytestmark = pytest.mark.anyio

URL = "https://files.example.com/a.txt?key=secret"


def downloads(handler: Callable[[httpx.Request], httpx.Response], **options: Any) -> Downloads:
    return Downloads(
        **{"most_bytes": 10, "seconds": 5.0, "transport": httpx.MockTransport(handler), **options}
    )


async def refusal(reader: Downloads, path: Path, url: str = URL) -> str:
    with pytest.raises(DownloadRefused) as caught:
        await reader.download(url, path)
    assert "secret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "169.254.169.254",
        "172.16.3.4",
        "192.168.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "2130706433",
        "0x7f.1",
        "localhost",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:0a00:0001::]",
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
async def test_no_private_address_is_asked(
    tmp_path: Path, host: str, *, allow_loopback: bool
) -> None:
    reader = Downloads(most_bytes=10, seconds=2.0, allow_loopback=allow_loopback)

    # With https, so that those of this machine, where they are allowed, are asked in vain.
    said = await refusal(reader, tmp_path / "file", f"https://{host}:1/a.txt")

    loopback = host in {"127.0.0.1", "127.9.9.9", "localhost", "[::1]", "2130706433", "0x7f.1"}
    assert (not (loopback and allow_loopback)) == said.endswith("is not public")


@pytest.mark.parametrize(
    "url",
    ["http://files.example.com/a", "ftp://files.example.com/a", "file:///etc/passwd", "", "https:",
     "//files.example.com/a", "data:,x", "https://[::1", "http://127.0.0.1"],
)  # fmt: skip
async def test_a_url_must_be_one_of_https(tmp_path: Path, url: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    await refusal(downloads(answer), tmp_path / "file", url)

    assert [] == asked


async def test_no_credential_is_sent_to_a_host(tmp_path: Path) -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, headers={"Set-Cookie": "a=b"}, content=b"12345")

    reader = downloads(answer)
    await reader.download("https://user:password@files.example.com/a", tmp_path / "one")
    await reader.download("https://files.example.com/b", tmp_path / "two")

    assert {"accept-encoding", "host", "user-agent"} == {name for one in seen for name in one}


async def test_redirects_are_followed_within_bounds(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        left = int(request.url.path[1:])
        if not left:
            return httpx.Response(200, content=b"there", headers={"Content-Type": "text/css; x=y"})
        return httpx.Response(302, headers={"Location": f"/{left - 1}"})

    reader = downloads(answer)
    media_type = await reader.download("https://files.example.com/5", tmp_path / "file")

    assert ("text/css", b"there") == (media_type, (tmp_path / "file").read_bytes())
    said = await refusal(reader, tmp_path / "other", "https://files.example.com/6")
    assert "it is behind more than 5 redirects" == said


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("http://files.example.com/b", "its URL is not one of https"),
        ("file:///etc/passwd", "its URL is not one of https"),
        (None, "it is behind a redirect to nowhere"),
    ],
)
async def test_a_redirect_leads_no_further_than_a_url_may(
    tmp_path: Path, location: str | None, says: str
) -> None:
    headers = {} if location is None else {"Location": location}

    said = await refusal(downloads(lambda _: httpx.Response(307, headers=headers)), tmp_path / "f")

    assert says == said


async def test_a_file_is_no_larger_than_allowed(tmp_path: Path, host: str) -> None:
    reader = Downloads(most_bytes=10, seconds=8.0, allow_loopback=True)

    said = await refusal(
        downloads(lambda _: httpx.Response(200, headers={"Content-Length": "11"})), tmp_path / "a"
    )
    unsaid = await refusal(reader, tmp_path / "b", f"{host}/endless")

    assert "it has more than 10 bytes" == said == unsaid


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410])
async def test_a_file_that_is_gone_is_not_asked_for_again(tmp_path: Path, status: int) -> None:
    asked = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(status)

    assert f"its host answers {status}" == await refusal(downloads(answer), tmp_path / "file")
    assert 1 == asked


async def test_what_fails_in_passing_is_tried_again(tmp_path: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset", request=request)

    answers = iter((httpx.Response(503), None, httpx.Response(200, text="at")))
    reader = downloads(lambda request: next(answers) or fail(request))

    await reader.download(URL, tmp_path / "file")

    assert b"at" == (tmp_path / "file").read_bytes()


class _Silent(BaseHTTPRequestHandler):
    """Begins an answer and says no more."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/endless":
            self.end_headers()
            with contextlib.suppress(OSError):
                while not _STOP.is_set():
                    self.wfile.write(b"x" * 1_000)
            return
        self.send_header("Content-Length", "5")
        self.end_headers()
        if self.path == "/short":
            self.wfile.write(b"123")
            return
        if self.path == "/whole":
            self.wfile.write(b"12345")
            return
        self.wfile.flush()
        _STOP.wait(20)

    def log_message(self, *_: Any) -> None:
        pass


_STOP = threading.Event()


@pytest.fixture
def host() -> Iterator[str]:
    """A host of files on this machine."""
    _STOP.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Silent)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    _STOP.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


async def test_a_file_comes_over_the_network_whole_or_not_at_all(tmp_path: Path, host: str) -> None:
    reader = Downloads(most_bytes=10, seconds=8.0, allow_loopback=True)
    await reader.download(f"{host}/whole", tmp_path / "whole")

    said = await refusal(reader, tmp_path / "short", f"{host}/short")

    assert b"12345" == (tmp_path / "whole").read_bytes()
    assert "its host gives no whole answer (RemoteProtocolError)" == said


async def test_a_host_that_falls_silent_is_left(tmp_path: Path, host: str) -> None:
    reader = Downloads(most_bytes=10, seconds=0.5, allow_loopback=True)

    assert "it took more than 0.5 s" == await refusal(reader, tmp_path / "f", f"{host}/silent")
