"""The inspection page in a real browser."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, RealClock
from talkjs_async.emulator._demo import fill_with_demo

pytestmark = pytest.mark.browser

Browser = Callable[[str], Callable[[str], Any]]
Looked = tuple[Emulator, str]


@pytest.fixture
def looked() -> Iterator[Looked]:
    """An emulator with the example in it, and the URL of its page."""
    emulator = Emulator(clock=RealClock())
    fill_with_demo(emulator)
    with emulator.serve() as server:
        yield emulator, f"{server.base_url}/_emulator/"


def until(condition: Callable[[], Any]) -> None:
    """Wait until something has become true in the browser."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.05)


def test_the_page_is_complete_without_its_script(
    chromium: str, looked: Looked, tmp_path: Path
) -> None:
    _, url = looked
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    command += ["--disable-component-update", "--disable-dev-shm-usage", "--timeout=500"]

    dumped = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert "The red bicycle" in dumped
    assert "Hi! Is it still for sale?" in dumped
    assert "POST /conversations/red-bicycle/messages" in dumped
    # The budget refills while Chromium starts.
    assert re.search(r'value="(59[789]\.|600)', dumped)


def test_the_page_follows_what_happens(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")

    emulator.simulate_user("sebastian").say("red-bicycle", "Ten minutes!")
    until(lambda: "Ten minutes!" in page("document.getElementById('thread').textContent"))
    emulator.simulate_user("alice").type_in("red-bicycle")
    until(lambda: "Alice typing" in page("document.getElementById('thread').textContent"))


def test_a_user_can_be_simulated(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")

    page("document.querySelector('form select').value = 'sebastian'")
    page("document.querySelector('form input').value = 'From the page'")
    page("document.querySelector('form button').click()")
    until(lambda: "From the page" in page("document.getElementById('thread').textContent"))

    sent = emulator.commits.of("message.sent")[-1]
    assert (sent.user_id, sent.text) == ("sebastian", "From the page")
    assert page("document.querySelector('form input').value") == ""
    page("document.querySelector('form button[name=read]').click()")
    until(lambda: emulator.commits[-1].kind == "conversation.read")


def test_the_next_request_can_be_made_to_fail(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")

    page("document.querySelector('aside button').click()")
    until(lambda: len(emulator.faults) == 1)
    api = url.replace("_emulator/", "v1/emulator/users")
    headers = {"authorization": f"Bearer {emulator.secret_key}"}
    assert [503, 200] == [httpx.get(api, headers=headers).status_code for _ in range(2)]

    until(lambda: "return-503" in page("document.getElementById('requests').textContent"))
    page("document.querySelector('#faults button').click()")
    until(lambda: len(emulator.faults) == 0)


def test_the_clock_can_be_put_forward(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")
    before = emulator.clock.time()

    page("document.querySelector('.clock button:last-child').click()")

    until(lambda: emulator.clock.time() - before > 86_400)


def test_hostile_text_is_shown_and_not_run(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")

    emulator.simulate_user("alice").say("red-bicycle", evil)
    until(lambda: evil in page("document.getElementById('thread').textContent"))

    assert page("document.title") == "emulator · TalkJS emulator"
    assert page("document.querySelectorAll('#thread img, #thread script').length") == 0
