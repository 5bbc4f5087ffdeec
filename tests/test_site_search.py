"""Questions put to the search of the built site: the right page is on top. Run by `nox -s docs`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.emulator.page.conftest import Browser, browser, chromium

__all__ = ["browser", "chromium"]

pytestmark = pytest.mark.browser

SITE = Path(__file__).parents[1] / "site"
QUESTIONS = {
    "install": "index.html",
    "rotate key": "how-to/keys.html",
    "flask": "how-to/sync-code.html",
    "celery": "how-to/sync-code.html",
    "jupyter notebook": "how-to/sync-code.html",
    "fastapi": "how-to/fastapi.html",
    "timeout": "how-to/timeouts.html",
    "retry settings": "how-to/timeouts.html",
    "RateLimitWaitTimeout": "how-to/timeouts.html",
    "upload file": "how-to/files.html",
    "system message": "how-to/messages.html",
    "reactions": "how-to/messages.html",
    "read marks": "how-to/messages.html",
    "idempotency key": "how-to/messages.html",
    "batch": "how-to/batch.html",
    "trio": "how-to/trio.html",
    "api version": "how-to/api-versions.html",
    "all errors": "reference/errors.html",
    "user token browser": "how-to/user-token.html",
    "list of webhook events": "reference/webhook-events.html",
    "filter list resume": "how-to/lists.html",
    "report vulnerability": "project/security.html",
    "deprecation policy": "explanation/stability.html",
    "affiliated with talkjs": "explanation/stability.html",
    "logging support": "how-to/support.html",
    "proxy certificate": "how-to/transports.html",
    "memory small container": "how-to/small-containers.html",
    "postgresql": "tutorial/nightly-sync.html",
    "sendbird": "tutorial/from-sendbird.html",
    "shell completion": "reference/cli.html",
    "rate limit": "explanation/budget.html",
    "send message": "how-to/messages.html",
    "create conversation": "how-to/records.html",
    "verify webhook signature": "how-to/webhooks.html",
    "simulate failure": "how-to/testing.html",
    "access token": "how-to/user-token.html",
    "csv import": "how-to/bulk.html",
    "restore backup": "how-to/bulk.html",
    "incremental export": "how-to/bulk.html",
    "transfer app": "how-to/bulk.html",
    "multiple processes": "how-to/redis.html",
}

# The search is a component with a tree of its own.
COMPONENT = "[...document.querySelectorAll('*')].find(each => each.shadowRoot)?.shadowRoot"
TOP = f"({COMPONENT}?.querySelector('a')?.href ?? '')"
FIELD = f"{COMPONENT}.querySelector('input')"


def until(page: Any, expression: str) -> Any:
    """Wait until something is there in the browser."""
    deadline = time.monotonic() + 30
    while not (value := page(expression)):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)
    return value


def answer(page: Any, question: str) -> str:
    """Type a question, and return the page that comes first."""
    page(f"{FIELD}.focus(), {FIELD}.select()")
    page.call("Input.insertText", text=question)
    # A link to what was found says for what; the list is put in order a moment later.
    until(page, f"{TOP}.includes('?h={quote_plus(question)}')")
    found, since = page(TOP), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        if (top := page(TOP)) != found:
            found, since = top, time.monotonic()
    return str(found).partition("/site/")[2].partition("?")[0]


def test_the_right_page_comes_first(browser: Browser) -> None:
    if not SITE.exists():
        pytest.skip("The site is not built: nox -s docs")
    page = browser((SITE / "index.html").as_uri())
    until(page, "document.querySelector('.md-search__button')?.checkVisibility() ?? false")
    page("document.querySelector('.md-search__button').click()")
    until(page, f"!!{COMPONENT}?.querySelector('input')")

    answers = {question: answer(page, question) for question in QUESTIONS}

    assert {} == {
        question: found for question, found in answers.items() if found != QUESTIONS[question]
    }


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "path", ["index.html", "reference/api/client.html", "tutorial/support-chat.html"]
)
def test_a_page_fits_the_screen_and_follows_its_scheme(
    browser: Browser,
    path: str,
    width: int,
    *,
    dark: bool,
) -> None:
    if not SITE.exists():
        pytest.skip("The site is not built: nox -s docs")
    page = browser((SITE / path).as_uri(), width=width, dark=dark)
    until(page, "document.readyState == 'complete' && !!document.body.dataset.mdColorScheme")

    wanted = "slate" if dark else "default"
    until(page, f"document.body.dataset.mdColorScheme == '{wanted}'")
    until(page, f"document.documentElement.scrollWidth <= {width}")
