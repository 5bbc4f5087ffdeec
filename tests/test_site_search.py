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
    "list messages": "how-to/lists.html",
    "redis": "how-to/redis.html",
    "anonymise user": "how-to/bulk.html",
    "export conversations": "how-to/bulk.html",
    "mark as read": "how-to/messages.html",
    "offline testing": "how-to/testing.html",
    "edit message": "how-to/messages.html",
    "delete message": "how-to/messages.html",
    "create user": "how-to/records.html",
    "update user": "how-to/records.html",
    "add participant": "how-to/records.html",
    "django": "how-to/sync-code.html",
    "webhooks": "how-to/webhooks.html",
    "pytest": "how-to/testing.html",
    "mock": "how-to/testing.html",
    "docker": "examples/emulator.html",
    "opentelemetry": "how-to/watching.html",
    "metrics": "how-to/watching.html",
    "429": "how-to/errors.html",
    "too many requests": "how-to/errors.html",
    "pagination": "how-to/lists.html",
    "unread messages": "how-to/messages.html",
    "custom data": "how-to/records.html",
    "sync database": "how-to/database.html",
    "jwt": "how-to/user-token.html",
    "environment variables": "reference/settings.html",
    "duplicate message": "how-to/messages.html",
    "resume job": "how-to/bulk.html",
    "emulator": "how-to/emulator.html",
    "go live": "tutorial/going-live.html",
    "benchmark": "explanation/speed.html",
    "handle errors": "how-to/errors.html",
    "email notification": "how-to/records.html",
    "chatbot": "how-to/fastapi.html",
    "getting started": "tutorial/first-steps.html",
    "sync client": "how-to/sync-code.html",
    "gunicorn": "how-to/sync-code.html",
    "upload image": "how-to/files.html",
    "hmac": "how-to/webhooks.html",
    "import users csv": "how-to/bulk.html",
    "kill -9": "explanation/bulk.html",
    "priority": "explanation/budget.html",
    "connection pool": "explanation/road-of-a-call.html",
    "http2": "explanation/speed.html",
    "exception": "reference/errors.html",
    "version compatibility": "explanation/stability.html",
    "python versions": "explanation/stability.html",
    "group chat": "how-to/records.html",
    "dry run": "how-to/bulk.html",
    "progress bar": "how-to/bulk.html",
    "virtual time": "how-to/emulator.html",
    "lost answer": "how-to/errors.html",
    "filter conversations": "how-to/lists.html",
    "presence": "how-to/records.html",
    "threads": "how-to/sync-code.html",
    "gdpr": "how-to/bulk.html",
    "read only access": "how-to/records.html",
    "prometheus": "how-to/watching.html",
    "remaining budget": "how-to/watching.html",
    "secret key leaked": "how-to/keys.html",
    "group conversation": "how-to/records.html",
    "json lines": "how-to/bulk.html",
    "seed data": "how-to/emulator.html",
    "mark_as_read": "reference/api/resources.html",
    "anonymise_user": "reference/api/bulk.html",
    "RedisBudgets": "reference/api/redis.html",
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
