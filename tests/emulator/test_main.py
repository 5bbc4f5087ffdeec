"""The command line."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from talkjs_async.emulator import Switches
from talkjs_async.emulator.__main__ import main
from talkjs_async.emulator.ledger import ledger


@contextmanager
def running(
    *arguments: str, interpreter: tuple[str, ...] = ()
) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    process = subprocess.Popen(
        [sys.executable, *interpreter, "-m", "talkjs_async.emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def get(said: dict[str, str], path: str = "/users") -> httpx.Response:
    return httpx.get(
        f"{said['base_url']}/v1/{said['app_id']}{path}",
        headers={"authorization": f"Bearer {said['secret_key']}"},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_when_it_is_ready_and_stops_when_told(number: signal.Signals) -> None:
    with running("--port", "0", "--quiet") as (process, said):
        assert set(said) == {"base_url", "app_id", "secret_key", "page"}
        assert httpx.get(said["page"]).status_code == 200
        assert get(said).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (0, "", "")


def test_its_options_reach_the_emulator() -> None:
    options = ["--app-id", "app7", "--secret-key", "sk_mine", "--burst", "2", "--rate", "0.001"]
    with running(*options, "--switch", "rate_limit_body=TEXT", "--fault", "return-503@0") as both:
        _, said = both
        statuses = [get(said).status_code for _ in range(3)]

        assert (said["app_id"], said["secret_key"]) == ("app7", "sk_mine")
        assert [200, 200, 429] == statuses
        assert get(said).text == "Too many requests"


def test_without_limits_nothing_is_refused() -> None:
    with running("--no-limits", "--burst", str(10**9), "--fault", "return-503") as (_, said):
        assert [503] * 3 == [get(said).status_code for _ in range(3)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--switch", "nonsense=1"], "There is no switch 'nonsense'"),
        (["--switch", "empty_phone=2"], "empty_phone must be one of"),
        (["--fault", "explode"], "There is no fault 'explode'. There are: return-503, "),
        (["--events", "message.sent"], "--events belongs behind the --webhook"),
        (["--webhook", "here"], "--webhook takes an http:// or https:// URL, not 'here'"),
        (["--webhook", "http://x", "--events", "message.set"], "There are no events"),
        (["trigger", "message.sent", "--at", "here"], "--at takes an http:// or https:// URL"),
        (["trigger", "x", "--at", "http://127.0.0.1:1", "--set", "y"], "--set takes PATH=VALUE"),
        (["--fault", "return-503@2"], "p must be"),
        (["--seed", "x"], "--seed x; did you mean --random-seed TEXT or --load SEED?"),
        (["--seed=x"], "--seed=x; did you mean --random-seed TEXT or --load SEED?"),
        (["--burs", "5"], "unrecognized arguments: --burs 5; did you mean --burst?\n"),
        (["--zzz"], "unrecognized arguments: --zzz\n"),
        (["x.json"], "unrecognized arguments: x.json\n"),
        (["trigger", "x", "--at", "http://x", "--se", "a=b"], "did you mean --set PATH=VALUE?\n"),
        (["--port", "http"], "--port: must be a number from 0 to 65535, not 'http'"),
        (["--rate", "nan"], "--rate: must be a number above 0, not 'nan'"),
        (["--rate", "-1"], "--rate: must be a number above 0, not '-1'"),
        (["--burst", "0"], "--burst: must be a number of requests, 1 or more, not '0'"),
        (["--burst", "9" * 5_000], "--burst: must be a number of requests, 1 or more"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as (_, said):
        port = said["base_url"].rpartition(":")[2]

        assert main(["--port", port]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_it_loads_less_than_twice_the_modules_of_its_server() -> None:
    # What starting costs is mostly this. Its time is measured by `benchmarks emulator`.
    server = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import uvicorn"],
        capture_output=True,
        text=True,
        check=True,
    )
    with running(interpreter=("-X", "importtime")) as (process, _):
        process.terminate()
        _, emulator = process.communicate(timeout=10)

    modules = server.stderr.count("import time:")
    assert 100 < modules < emulator.count("import time:") < 2 * modules


def test_the_switches_are_listed_with_their_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--list-switches"])

    listed = capsys.readouterr().out
    for name, choices in Switches.choices().items():
        assert f"{name}={'|'.join(map(str, choices))}\n" in listed


def test_every_behaviour_is_listed_with_how_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--list-behaviour"])

    listed = capsys.readouterr().out
    for line in ledger():
        assert f"{line.kind} {line.name}: {line.behaviour}\n    {line.known}" in listed


def test_switches_of_the_environment_hold_unless_the_command_names_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TALKJS_EMULATOR_SWITCHES", "unknown_path=not_implemented,reasons=fields")

    with running("--switch", "reasons=list") as (_, said):
        unknown = get(said, "/nothing")
        refused = get(said, "/users?limit=1000")

    assert (501, 400) == (unknown.status_code, refused.status_code)
    assert isinstance(refused.json()["reasons"], list)


def test_every_request_is_a_line_on_stderr() -> None:
    with running("--fault", "return-503@1") as (process, said):
        get(said, "/users/alice")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)

    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /users/alice 503 \(return-503\)\n", err)


def test_a_receiver_gets_the_events_that_were_chosen_for_it() -> None:
    chosen = ["--webhook", "http://127.0.0.1:1/a", "--events", "message.sent,message.read"]
    with running(*chosen, "--webhook", "http://127.0.0.1:1/b") as (_, said):
        receivers = httpx.get(f"{said['base_url']}/_emulator/v1/webhooks").json()

    assert [
        {"target": "http://127.0.0.1:1/a", "events": ["message.read", "message.sent"]},
        {"target": "http://127.0.0.1:1/b", "events": None},
    ] == receivers


def test_an_event_can_be_triggered_and_seen_though_nothing_listens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running() as (_, said):
        command = ["trigger", "message.sent", "--at", said["base_url"]]
        codes = [
            main([*command, "--set", "message.text=Hi", "--set", "message.custom.count=1"]),
            main([*command, "--set", "message.id.no=1"]),
        ]
        inbox = httpx.get(f"{said['base_url']}/_emulator/v1/inbox").json()
    codes.append(main(command))

    captured = capsys.readouterr()
    assert [0, 1, 1] == codes
    message = inbox[-1]["data"]["message"]
    assert (message["text"], message["custom"]["count"]) == ("Hi", 1)
    assert inbox[-1]["id"] == json.loads(captured.out)["id"]
    assert "leads through 'id'" in captured.err
    assert "no emulator answers at http://127.0.0.1" in captured.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_can_end_with_its_parent(number: signal.Signals) -> None:
    program = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-m', 'talkjs_async.emulator', '--die-with-parent'])\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        said = json.loads(parent.stdout.readline())
        assert get(said).status_code == 200

        parent.send_signal(number)

        # The pipe ends when the last process that could write to it has ended.
        assert parent.stdout.read() == ""
        with pytest.raises(httpx.ConnectError):
            get(said)
