"""The inspection page in a real browser."""

import json
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
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator.admission import admit

pytestmark = pytest.mark.browser

Browser = Callable[..., Callable[[str], Any]]
Looked = tuple[Emulator, str]


@pytest.fixture
def looked() -> Iterator[Looked]:
    """An emulator with the example in it, and the URL of its page."""
    emulator = Emulator(clock=RealClock())
    fill_with_demo(emulator)
    with emulator.serve() as server:
        yield emulator, f"{server.base_url}/_emulator/"


def send(emulator: Emulator, method: str, path: str, body: object = None) -> None:
    """Send a request as a client would, without a client."""
    request = Request(
        method=method,
        path=f"/v1/{emulator.app_id}{path}",
        headers={
            b"authorization": f"Bearer {emulator.secret_key}".encode(),
            b"content-type": b"application/json",
        },
        body=b"" if body is None else json.dumps(body).encode(),
    )
    handle(emulator, admit(emulator, request))


def until(condition: Callable[[], Any]) -> None:
    """Wait until something has become true in the browser."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.05)


def test_the_page_is_complete_without_its_script(
    chromium: str, looked: Looked, tmp_path: Path
) -> None:
    _, url = looked
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    command += ["--disable-component-update", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={tmp_path}", "--dump-dom"]

    dumped = ""
    # The page goes on loading for as long as it is live, so Chromium has to be told when to stop.
    for milliseconds in (500, 5_000, 30_000):
        if "The red bicycle" not in dumped:
            dumped = subprocess.run(
                [*command, f"--timeout={milliseconds}", url],
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

    page("document.querySelector('#composer select').value = 'sebastian'")
    page("document.querySelector('#composer input').value = 'From the page'")
    page("document.querySelector('#composer button').click()")
    until(lambda: "From the page" in page("document.getElementById('thread').textContent"))

    sent = emulator.commits.of("message.sent")[-1]
    assert (sent.user_id, sent.text) == ("sebastian", "From the page")
    assert page("document.querySelector('#composer input').value") == ""
    page("document.querySelector('#composer button[name=read]').click()")
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


LONG = "Wolfeschlegelsteinhausenbergerdorff" * 9
HOSTILE = ("x" * 300, LONG, "<b>" * 60, "\u202eevil\u202c " * 30, "名" * 200, "a b " * 80)


def make_hostile(emulator: Emulator) -> None:
    """Fill an emulator with names, IDs and texts that no layout expects."""
    for number, name in enumerate(HOSTILE):
        user = emulator.simulate_user(f"user-{number}-{'i' * 200}")
        send(emulator, "PUT", f"/users/{user.user_id}", {"name": name, "role": name})
        chat = f"chat-{number}-{'c' * 200}"
        participants = {"participants": [user.user_id], "subject": name}
        send(emulator, "PUT", f"/conversations/{chat}", participants)
        user.say(chat, name)
        user.type_in(chat)
        send(emulator, "GET", f"/users/{'n' * 250}")


def fits(page: Callable[[str], Any]) -> bool:
    """Tell whether nothing is wider than the window, or wider than its own column."""
    wide: bool = page("document.documentElement.scrollWidth > window.innerWidth")
    squeezed: bool = page(
        "[...document.querySelectorAll('tr > td:last-child')].some("
        "cell => cell.closest('#requests, #webhooks') && cell.offsetHeight && "
        "cell.firstChild?.nodeType === 3 && getComputedStyle(cell).whiteSpace !== 'nowrap')"
    )
    hidden: bool = page(
        "[...document.querySelectorAll('button, input, select')].some("
        "one => one.offsetParent && one.getBoundingClientRect().right > window.innerWidth)"
    )
    return not (wide or squeezed or hidden)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_name_however_long_breaks_the_layout(
    browser: Browser, looked: Looked, width: int, dark: bool
) -> None:
    emulator, url = looked
    make_hostile(emulator)
    emulator.webhooks.to(f"http://127.0.0.1:1/{'w' * 300}", events=["user.created"])
    emulator.webhooks.trigger("user.created", {"long": LONG})
    until(lambda: len(emulator.webhooks.deliveries) == 2)

    page = browser(url, width=width, dark=dark)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")
    assert fits(page)
    page("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert fits(page)
    ground = page("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(20, 24, 26)") is dark


def test_requests_can_be_searched_and_read(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    emulator.body_limit = 1000
    message = {
        "type": "UserMessage",
        "sender": "alice",
        "text": "needle",
        "idempotencyKey": "key-1",
    }
    for _ in range(2):
        send(emulator, "POST", "/conversations/red-bicycle/messages", [message])
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")
    rows = "document.querySelectorAll('#requests tr').length"
    assert page(rows) == 5

    page("document.querySelector('[name=find]').value = 'needle'")
    page("document.querySelector('[role=search]').requestSubmit()")

    until(lambda: page(rows) == 2)
    page("document.querySelector('#requests details').open = true")
    shown = page("document.querySelector('#requests details').textContent")
    assert "attempt 2" in shown
    assert "Key key-1, 2 attempts:" in shown
    assert '"text": "needle"' in shown
    # It stays open while other things happen.
    emulator.simulate_user("alice").say("red-bicycle", "needle again")
    until(lambda: "needle again" in page("document.getElementById('thread').textContent"))
    assert page("document.querySelector('#requests details').open") is True
    assert page(rows) == 2


def test_webhooks_can_be_triggered_and_sent_again(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")
    emulator.webhooks.retry_delay = 0.0
    emulator.webhooks.to("http://127.0.0.1:1/")

    page("document.querySelector('[data-trigger] select').value = 'message.sent'")
    page("document.querySelector('[data-trigger] button').click()")
    until(lambda: page("document.querySelectorAll('#webhooks tr').length") == 2)
    page("document.querySelector('#webhooks details button').click()")
    until(lambda: len(emulator.webhooks.deliveries) == 4)

    assert {"message.sent"} == {entry.event_type for entry in emulator.webhooks.deliveries}
    assert 1 == len({entry.event_id for entry in emulator.webhooks.deliveries})
    until(lambda: "ConnectError" in page("document.getElementById('webhooks').textContent"))


def test_the_clock_goes_back_when_everything_is_forgotten(browser: Browser, looked: Looked) -> None:
    emulator, url = looked
    emulator.advance(90_000)
    ahead = emulator.clock.time()
    page = browser(url)
    until(lambda: page("document.getElementById('live')?.textContent") == "live")

    page(
        "[...document.querySelectorAll('button')]"
        ".find(one => one.textContent.includes('Forget everything')).click()"
    )

    until(lambda: emulator.clock.time() < ahead - 80_000)
    assert len(emulator.commits) == 0
