"""A real browser."""

import base64
import itertools
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Browser = Callable[..., "Page"]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium. Without it the tests are skipped, but not in CI, where they fail."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, and this is CI.")
        pytest.skip("Chromium is not installed.")
    return found


class _Pipe:
    """Chromium's debugging protocol over a pair of pipes: JSON texts, each followed by a NUL."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._numbers = itertools.count(1)
        self._buffer = b""

    def call(self, method: str, *, session: str | None = None, **params: Any) -> Any:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 20
        while True:
            answer = self._read(deadline)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from_browser], [], [], deadline - time.monotonic())
            assert ready, "The browser does not answer."
            self._buffer += os.read(self._from_browser, 65_536)
        text, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer


class Page:
    """One page: call it with JavaScript to evaluate."""

    def __init__(self, pipe: _Pipe, session: str) -> None:
        self._pipe = pipe
        self._session = session

    def call(self, method: str, **params: Any) -> Any:
        return self._pipe.call(method, session=self._session, **params)

    def __call__(self, expression: str) -> Any:
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """Return a picture of the whole page, as PNG."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[Browser]:
    """Open a page, and get a function that evaluates JavaScript in it."""
    read_by_browser, to_browser = os.pipe()
    from_browser, written_by_browser = os.pipe()
    quiet = os.open(os.devnull, os.O_WRONLY)
    arguments = [chromium, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={tmp_path}"]
    process = os.posix_spawn(
        chromium,
        arguments,
        os.environ,
        file_actions=[
            # Chromium reads from 3 and writes to 4.
            (os.POSIX_SPAWN_DUP2, read_by_browser, 3),
            (os.POSIX_SPAWN_DUP2, written_by_browser, 4),
            (os.POSIX_SPAWN_DUP2, quiet, 1),
            (os.POSIX_SPAWN_DUP2, quiet, 2),
        ],
    )
    pipe = _Pipe(to_browser, from_browser)

    def open_page(url: str, *, width: int = 1280, dark: bool = False) -> Page:
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(pipe, session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setDeviceMetricsOverride", **size)
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Page.enable")
        page.call("Page.navigate", url=url)
        return page

    try:
        yield open_page
        pipe.call("Browser.close")
    finally:
        deadline = time.monotonic() + 5
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        for end in (read_by_browser, to_browser, from_browser, written_by_browser, quiet):
            os.close(end)
