"""`talkjs-async doctor`: is everything that a program needs in place?"""

from __future__ import annotations

import platform
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import anyio
import attrs
import httpx

from talkjs_async._core.base_url import base_url_of
from talkjs_async._core.retry import RetryPolicy
from talkjs_async._version import __version__
from talkjs_async.cli._global_options import GlobalOptions
from talkjs_async.cli._output import write, write_json
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, TalkJSError, Unauthorized, UnknownApp

Verdict = Literal["ok", "warning", "problem"]

_SKEW_WARNS: Final = 5.0
_SKEW_FAILS: Final = 25.0
"""Seconds. A token lives 30."""


@attrs.frozen
class Finding:
    """What was found, and what to do about it."""

    what: str
    verdict: Verdict
    words: str


@attrs.define
class _ServerFacts:
    """Notes what the client itself has no interest in: the server's clock and the connection."""

    sent: float = 0.0
    skew: float | None = None
    tls: tuple[str, str] | None = None
    seconds: float | None = None

    async def on_request(self, _request: httpx.Request) -> None:
        self.sent = time.time()

    async def on_response(self, response: httpx.Response) -> None:
        now = time.time()
        self.seconds = now - self.sent
        date = response.headers.get("date")
        if date is not None:
            # The header has whole seconds, so on average it is half a second late.
            with suppress(ValueError):
                server = parsedate_to_datetime(date).timestamp() + 0.5
                self.skew = (self.sent + now) / 2 - server
        stream = response.extensions.get("network_stream")
        tls = stream.get_extra_info("ssl_object") if stream is not None else None
        if isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
            cipher = tls.cipher()
            self.tls = (tls.version() or "?", cipher[0] if cipher else "?")


def run(options: GlobalOptions) -> int:
    """Examine everything; return the exit code."""
    code, findings = anyio.run(_examine, options)
    for finding in findings:
        if options.json:
            write_json(attrs.asdict(finding))
        else:
            write(f"{finding.verdict:8} {finding.what:12} {finding.words}")
    return code


async def _examine(options: GlobalOptions) -> tuple[int, list[Finding]]:
    findings = [_versions()]
    facts = _ServerFacts()
    hooks: dict[str, list[Callable[..., Any]]] = {
        "request": [facts.on_request],
        "response": [facts.on_response],
    }
    code = 0
    async with AsyncExitStack() as opened:
        connections: dict[str, Any] = {}
        # Where it cannot take what the environment says of proxies and trust, the connections that
        # programs have say what is wrong with it.
        with suppress(OSError, ValueError, ImportError):
            http = await opened.enter_async_context(httpx.AsyncClient(event_hooks=hooks))
            connections["http_client"] = http
        try:
            client = await opened.enter_async_context(options.client(**connections))
            talkjs = client.with_options(retry=RetryPolicy(attempts=2), timeout=10.0)
            app = await talkjs.app.get()
        except TalkJSError as error:
            code = 2 if isinstance(error, ConfigurationError) else 3
            findings.append(Finding("credentials", "problem", _wrong(error)))
            return code, findings + _seen(facts, options)
        words = f"app {app.id} answers"
        if facts.seconds is not None:
            words += f" in {facts.seconds * 1000:.0f} ms"
        findings.append(Finding("credentials", "ok", words))
        findings += _seen(facts, options)
        findings.append(_budget(talkjs))
    if any(finding.verdict == "problem" for finding in findings):
        code = 3
    return code, findings


def _wrong(error: TalkJSError) -> str:
    if isinstance(error, UnknownApp):
        return "TalkJS knows no app with this ID: check TALKJS_APP_ID; the key was not looked at"
    if isinstance(error, Unauthorized):
        return f"{error}. The app ID is right: check TALKJS_SECRET_KEY, and the clock below"
    return str(error)


def _versions() -> Finding:
    words = f"talkjs-async {__version__}, Python {platform.python_version()}, "
    return Finding("version", "ok", words + f"httpx {version('httpx')}, {ssl.OPENSSL_VERSION}")


def _seen(facts: _ServerFacts, options: GlobalOptions) -> list[Finding]:
    """Say what the exchange has shown by the way, whether or not TalkJS liked the credentials."""
    return [finding for finding in (_clock(facts), _tls(facts, options)) if finding is not None]


def _clock(facts: _ServerFacts) -> Finding | None:
    if facts.skew is None:
        return None
    ahead = "ahead of" if facts.skew > 0 else "behind"
    seconds = abs(facts.skew)
    if seconds < _SKEW_WARNS:
        return Finding("clock", "ok", f"within {max(1.0, seconds):.0f} s of TalkJS's")
    words = f"{seconds:.0f} s {ahead} TalkJS's: set it right, tokens live 30 s"
    return Finding("clock", "warning" if seconds < _SKEW_FAILS else "problem", words)


def _tls(facts: _ServerFacts, options: GlobalOptions) -> Finding | None:
    try:
        url = urlsplit(base_url_of(options.base_url))
    except ConfigurationError:
        # Told already, as what is wrong with the credentials.
        return None
    if url.scheme == "https":
        return facts.tls and Finding("TLS", "ok", ", ".join(facts.tls))
    if url.hostname in {"127.0.0.1", "::1", "localhost"}:
        return Finding("TLS", "warning", "none, which is fine on this machine only")
    return Finding("TLS", "problem", f"none: {url.hostname} gets the secret in the clear")


def _budget(talkjs: AsyncTalkJS) -> Finding:
    budget = talkjs.budget
    words = f"{budget.burst} requests at once, then {budget.rate:g} per second, for the whole app"
    if budget.throttled:
        words += "; some other program uses it up right now"
    return Finding("budget", "ok" if not budget.throttled else "warning", words)
