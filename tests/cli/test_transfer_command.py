from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from talkjs_async import AsyncTalkJS
from talkjs_async.emulator import Emulator, Limits, RealClock

Command = Callable[..., Any]


@pytest.fixture
def other() -> Emulator:
    """The app that gets it all."""
    return Emulator(app_id="into", clock=RealClock(), limits=Limits.off())


@pytest.fixture
def into(other: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address; the environment has its credentials."""
    with other.serve() as server:
        monkeypatch.setenv("TALKJS_TARGET_APP_ID", other.app_id)
        monkeypatch.setenv("TALKJS_TARGET_SECRET_KEY", other.secret_key)
        monkeypatch.setenv("TALKJS_TARGET_BASE_URL", server.base_url)
        yield server.base_url


def fill(base_url: str) -> None:
    async def main() -> None:
        async with AsyncTalkJS(base_url=base_url) as talkjs:
            await talkjs.users.upsert("ann", name="Ann")
            await talkjs.conversations.upsert("c", participants=["ann"])
            first = await talkjs.messages.send("c", sender="ann", text="hello")
            token = (await talkjs.files.upload(b"12345", filename="a.txt")).token
            await talkjs.messages.send("c", sender="ann", attachment_token=token)
            await talkjs.messages.send(
                "c", sender="ann", text="yes", referenced_message_id=first.id
            )

    anyio.run(main)


def test_an_app_is_copied_into_another(
    command: Command, base_url: str, into: str, other: Emulator
) -> None:
    fill(base_url)

    outcome = command("transfer", "--allow-loopback-files")

    assert (0, "") == (outcome.code, outcome.err)
    assert outcome.out.startswith("transfer emulator to into: 6 done; ")
    assert "  TalkJS could not take all of 1: " in outcome.out
    assert 3 == len(other.commits.of("message.imported"))
    assert ["transfer.emulator.into.journal"] == [path.name for path in Path().iterdir()]


def test_an_export_says_how_many_messages_are_not_whole_in_it(
    command: Command, base_url: str
) -> None:
    fill(base_url)

    outcome = command("export", "backup")

    assert (0, "") == (outcome.code, outcome.err)
    left_out = "the file, or who has reacted (which --reactions reads), of 1 of the messages"
    assert f"  not in it: {left_out}\n" in outcome.out


def test_without_leave_no_file_of_this_machine_is_read(
    command: Command, base_url: str, into: str, other: Emulator
) -> None:
    fill(base_url)

    outcome = command("--json", "transfer", "--to-base-url", into)

    assert 1 == outcome.code
    assert [] == other.commits.of("file.uploaded")
    assert 2 == outcome.lines[-1]["report"]["failed"]
    assert "its URL is not one of https" in outcome.out


def test_a_dry_run_stores_nothing(
    command: Command, base_url: str, into: str, other: Emulator
) -> None:
    fill(base_url)

    outcome = command("transfer", "--dry-run")

    assert (0, []) == (outcome.code, list(other.commits))
    assert "6 planned" in outcome.out


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("TALKJS_TARGET_APP_ID", "--to-app-id: is missing: give it, or set TALKJS_TARGET_APP_ID."),
        ("TALKJS_TARGET_SECRET_KEY", "secret key of the target: is missing"),
    ],
)
def test_what_is_missing_of_the_target_is_named(
    command: Command, into: str, monkeypatch: pytest.MonkeyPatch, variable: str, says: str
) -> None:
    monkeypatch.delenv(variable)

    outcome = command("transfer")

    assert 2 == outcome.code
    assert says in outcome.err


def test_one_app_is_not_copied_into_itself(
    command: Command, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_TARGET_SECRET_KEY", "sk_test_emulator")

    outcome = command("transfer", "--to-app-id", "emulator", "--to-base-url", base_url)

    assert 2 == outcome.code
    assert "target: is the same app as source." in outcome.err
