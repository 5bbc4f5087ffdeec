from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest

from talkjs_async.cli import run
from talkjs_async.cli._doctor import _ServerFacts

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]


def test_the_doctor_finds_nothing(command: Command) -> None:
    outcome = command("doctor")

    assert 0 == outcome.code
    assert [
        ["ok", "version"],
        ["ok", "credentials"],
        ["ok", "clock"],
        ["warning", "TLS"],
        ["ok", "budget"],
    ] == [line.split()[:2] for line in outcome.out.splitlines()]


def test_the_doctor_finds_a_wrong_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_wrong_but_long_enough_to_sign_with")

    outcome = command("--json", "doctor")

    assert 3 == outcome.code
    verdicts = {line["what"]: line["verdict"] for line in outcome.lines}
    assert {"version": "ok", "credentials": "problem", "clock": "ok", "TLS": "warning"} == verdicts


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TALKJS_APP_ID", "nosuchapp", "TalkJS knows no app with this ID: check TALKJS_APP_ID"),
        ("TALKJS_SECRET_KEY", f"sk_test_{'wrong' * 8}", "The app ID is right: check TALKJS_SECRET"),
    ],
)
def test_the_doctor_tells_a_wrong_app_from_a_wrong_key(
    command: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)

    outcome = command("doctor")

    assert 3 == outcome.code
    assert said in outcome.out


def test_the_doctor_finds_missing_credentials(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALKJS_APP_ID")

    outcome = command("doctor")

    assert 2 == outcome.code
    assert "TALKJS_APP_ID" in outcome.out


def answer(seconds: float) -> type[BaseHTTPRequestHandler]:
    """A server whose clock is right, while ours is wrong."""

    class Answer(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + seconds, usegmt=True)

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(APP)))
            self.end_headers()
            self.wfile.write(APP)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    return Answer


APP = b'{"id": "emulator", "name": "Emulator"}'


@pytest.mark.parametrize(
    ("skew", "verdict", "words"),
    [
        (-12.0, "warning", "12 s ahead of TalkJS's"),
        (12.0, "warning", "12 s behind TalkJS's"),
        (100.0, "problem", "100 s behind TalkJS's: set it right"),
    ],
)
def test_the_doctor_measures_the_clock(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    skew: float,
    verdict: str,
    words: str,
) -> None:
    monkeypatch.setenv("TALKJS_APP_ID", "emulator")
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_emulator")

    with ThreadingHTTPServer(("127.0.0.1", 0), answer(skew)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        code = run(["--base-url", f"http://127.0.0.1:{server.server_port}", "doctor"])
        server.shutdown()

    (line,) = (line for line in capsys.readouterr().out.splitlines() if " clock " in line)
    assert line.startswith(verdict)
    assert words in line.replace("11 s", "12 s").replace("13 s", "12 s").replace("99", "100")
    assert (0 if verdict == "warning" else 3) == code


def test_the_doctor_minds_a_secret_in_the_clear(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", "sk_test_some_key_that_is_long_enough_to_sign")

    # An address that no host can have (RFC 6761).
    code = run(["--app-id", "x", "--base-url", "http://talkjs.invalid", "doctor"])

    assert 3 == code
    assert "talkjs.invalid gets the secret in the clear" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["api.talkjs.com", "http://[", "http://x:99999", "http://x y"])
def test_the_doctor_says_what_is_wrong_with_an_address(command: Command, address: str) -> None:
    outcome = command("doctor", "--base-url", address)

    version, credentials = outcome.out.splitlines()
    assert (2, True) == (outcome.code, version.startswith("ok "))
    assert credentials.startswith("problem  credentials  base_url: ")


WRONG_SURROUNDINGS = {
    "no trust store": ("SSL_CERT_FILE", "/nowhere", "SSL_CERT_FILE: the trust store cannot be"),
    "an empty one": ("SSL_CERT_FILE", os.devnull, "SSL_CERT_FILE: the trust store cannot be"),
    "no proxy": ("HTTPS_PROXY", "ftp://proxy", "HTTPS_PROXY: must look like http://proxy:8080"),
}
if find_spec("socksio") is None:
    WRONG_SURROUNDINGS["no SOCKS"] = (
        "ALL_PROXY",
        "socks5://proxy",
        "_PROXY: names a SOCKS proxy, for",
    )


@pytest.mark.parametrize(
    ("name", "value", "words"), WRONG_SURROUNDINGS.values(), ids=WRONG_SURROUNDINGS.keys()
)
@pytest.mark.parametrize("what", [("doctor",), ("list", "users")], ids=" ".join)
def test_what_is_wrong_with_the_environment_is_named(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    what: tuple[str, ...],
    name: str,
    value: str,
    words: str,
) -> None:
    # In a process of its own: the trust store is read once.
    monkeypatch.setenv("TALKJS_BASE_URL", "https://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv(name, value)
    process = start(*what, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    out, err = process.communicate(timeout=60)

    assert 2 == process.returncode
    assert words in (out + err).decode()
    assert 2 == len([*out.splitlines(), *err.splitlines()]) + (what != ("doctor",))


def test_the_doctor_needs_no_clock_of_a_server_that_writes_it_oddly() -> None:
    facts = _ServerFacts()

    anyio.run(facts.on_response, httpx.Response(200, headers={"date": "yesterday"}))

    assert facts.skew is None


@pytest.mark.parametrize("key", ["sk_test_emulator\n", " sk_test_emulator", "sk_\u200btest"])
def test_the_doctor_says_that_a_key_was_copied_with_something(
    command: Command, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", key)

    outcome = command("doctor")

    assert 2 == outcome.code
    assert "TALKJS_SECRET_KEY: holds a space, a line break or the like: take it out" in outcome.out
    assert "emulator" not in outcome.out
