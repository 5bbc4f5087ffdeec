"""Data in a file: the same after a restart, whatever ended the emulator before."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Limits, RealClock, Switches
from talkjs_async.emulator._index import Index
from talkjs_async.emulator._stored_records import StoredApp

pytestmark = pytest.mark.anyio

Send = Callable[..., Awaitable[Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "talkjs.db"


@pytest.fixture
def opened() -> Iterator[Callable[..., Emulator]]:
    """Open emulators that are closed after the test."""
    emulators: list[Emulator] = []

    def open_one(file: Path, **options: Any) -> Emulator:
        # `live_through_everything` is written for the defaults.
        options.setdefault("switches", Switches())
        emulators.append(Emulator(persist=file, limits=Limits.off(), **options))
        return emulators[-1]

    yield open_one
    for emulator in emulators:
        emulator.close()


def requests_of(emulator: Emulator, app: StoredApp | None = None) -> Send:
    app = app or emulator.main_app
    client = httpx.AsyncClient(transport=emulator.transport, base_url=f"http://e/v1/{app.id}")

    async def send(method: str, path: str, body: object = None, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {app.secret_keys[0]}", **options.pop("headers", {})}
        if body is not None:
            # As httpx does not: a half surrogate as its escape.
            options["content"] = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        response = await client.request(method, path, headers=headers, **options)
        assert 200 == response.status_code, response.text
        return response.json()

    return send


def plain(value: Any) -> Any:
    """All data of an emulator, to be compared: records, their order, and the indexes."""
    if isinstance(value, Index):
        return [plain(one) for one in value.walk(descending=False)]
    if attrs.has(type(value)):
        names = [one.name for one in attrs.fields(type(value))]
        # A budget is full again; tabs are closed; what was looked at is looked at again.
        left_out = {"budget", "sessions", "_alone"}
        return {name: plain(getattr(value, name)) for name in names if name not in left_out}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def data_of(emulator: Emulator) -> Any:
    return plain(emulator.apps), {
        token: app.id for token, app in emulator.anonymous_accounts.items()
    }


async def live_through_everything(emulator: Emulator) -> None:
    """Make a change of every kind."""
    send = requests_of(emulator)
    people = {name: {"name": name.title(), "custom": {"a": "1"}} for name in ("ann", "bo", "cy")}
    await send("PUT", "/users", people)
    await send("PUT", "/users/ann", {"email": ["a@example.com"], "phone": None, "custom": {}})
    chat = {"participants": ["ann", "bo", "cy"], "welcomeMessages": ["Hi"], "custom": {"k": "v"}}
    await send("PUT", "/conversations/c1", chat)
    await send("PUT", "/conversations/c2", {"participants": ["ann"], "subject": "half \ud83d"})
    await send("PUT", "/conversations/gone", {"participants": ["bo"]})
    [one, two, three] = await send(
        "POST",
        "/conversations/c1/messages",
        [
            {"type": "UserMessage", "sender": "ann", "text": "one", "idempotencyKey": "k1"},
            {"type": "SystemMessage", "text": "two", "custom": {"x": "y"}},
            {"type": "UserMessage", "sender": "bo", "location": [51.5, -3.1]},
        ],
    )
    upload = await send("POST", "/files", files={"file": ("a.txt", b"\x00content")})
    await send(
        "POST",
        "/conversations/c1/messages",
        [{"type": "UserMessage", "sender": "cy", "attachmentToken": upload["fileToken"]}],
    )
    old = {"type": "UserMessage", "sender": "ann", "text": "old", "createdAt": 1_558_096_200_000}
    await send("POST", "/import/conversations/c1/messages", [old])
    await send("POST", "/conversations/gone/messages", [{"type": "SystemMessage", "text": "bye"}])
    await send("DELETE", "/conversations/gone")
    await send("PUT", f"/conversations/c1/messages/{one['id']}", {"text": "edited"})
    await send("DELETE", f"/conversations/c1/messages/{two['id']}")
    for user in ("ann", "bo"):
        await send("PUT", f"/conversations/c1/messages/{three['id']}/reactions/:party:/{user}", {})
    await send("DELETE", f"/conversations/c1/messages/{three['id']}/reactions/:party:/ann")
    await send("PATCH", "/conversations/c1/participants/ann", {"readUntil": 2_000_000_000_000})
    await send("PATCH", "/conversations/c1/participants/bo", {"access": "Read", "notify": False})
    before = {"TalkJS-REST-Version": "2021-02-09"}
    await send("DELETE", "/conversations/c1/participants/cy", headers=before)
    await send("PUT", "/", {"custom": {"a": "1"}, "defaultLocale": "nl"})
    await send("PUT", "/themes", {"blue": {"base": "default_v7", "files": {}}})
    emulator.simulate_user("bo").say("c1", "from the web")
    emulator.simulate_user("ann").read("c1")
    async with httpx.AsyncClient(transport=emulator.transport, base_url="http://e/v1") as http:
        await http.post("/anonymousAccounts", json={})
    [other] = [app for app in emulator.apps.values() if app.is_anonymous]
    await requests_of(emulator, other)("PUT", "/users/zoe", {"name": "Zoe"})


async def test_everything_is_the_same_after_a_restart(
    file: Path, opened: Callable[..., Emulator]
) -> None:
    first = opened(file)
    await live_through_everything(first)
    first.close()

    second = opened(file)

    assert (False, True) == (first.restored, second.restored)
    assert data_of(first) == data_of(second)


async def test_it_goes_on_where_it_was(file: Path, opened: Callable[..., Emulator]) -> None:
    first = opened(file)
    await live_through_everything(first)
    first.advance(3600)
    [sent] = await requests_of(first)(
        "POST",
        "/conversations/c1/messages",
        [{"type": "SystemMessage", "text": "last", "idempotencyKey": "k"}],
    )
    ids = {message for c in first.main_app.conversations.values() for message in c.message_by_id}
    first.close()

    second = opened(file)
    send = requests_of(second)
    message = {"type": "SystemMessage", "text": "last"}
    [repeated, new] = await send(
        "POST",
        "/conversations/c1/messages",
        [{**message, "idempotencyKey": "k"}, {**message, "text": "new"}],
    )
    newest = (await send("GET", "/conversations/c1/messages"))["data"]

    assert sent == repeated
    assert new["id"] not in ids
    assert ["new", "last"] == [one["text"] for one in newest[:2]]
    assert newest[0]["createdAt"] >= newest[1]["createdAt"]


async def test_a_reset_and_a_snapshot_are_kept_too(
    file: Path, opened: Callable[..., Emulator]
) -> None:
    emulator = opened(file)
    await live_through_everything(emulator)
    snapshot = emulator.snapshot()
    emulator.reset()
    emulator.close()
    empty = opened(file)
    assert {} == empty.main_app.users
    empty.restore(snapshot)
    empty.close()

    assert data_of(empty) == data_of(opened(file))


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["user", "chat", "say", "leave", "delete", "edit"]), st.integers(0, 3)
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(lives=st.lists(OPERATIONS, min_size=1, max_size=3))
async def test_any_life_is_the_same_after_any_number_of_restarts(
    tmp_path_factory: pytest.TempPathFactory, lives: list[list[tuple[str, int]]]
) -> None:
    file = tmp_path_factory.mktemp("lives") / "talkjs.db"
    for life in lives:
        emulator = Emulator(persist=file, limits=Limits.off())
        client = httpx.AsyncClient(
            transport=emulator.transport,
            base_url=f"http://e/v1/{emulator.app_id}",
            headers={"authorization": f"Bearer {emulator.secret_key}"},
        )
        for what, number in life:
            user, chat = f"/users/u{number}", f"/conversations/c{number % 2}"
            messages = emulator.main_app.conversations.get(f"c{number % 2}")
            last = next(iter(messages.message_by_id), "none") if messages else "none"
            method, path, body = {
                "user": ("PUT", user, {"name": str(number)}),
                "chat": ("PUT", chat, {"participants": list(emulator.main_app.users)[:number]}),
                "say": ("POST", f"{chat}/messages", [{"type": "SystemMessage", "text": "hi"}]),
                "leave": ("DELETE", f"{chat}/participants/u{number}", None),
                "delete": ("DELETE", chat, None),
                "edit": ("PUT", f"{chat}/messages/{last}", {"text": "edited"}),
            }[what]
            await client.request(method, path, json=body)
        emulator.close()
        after = Emulator(persist=file)
        after.close()
        assert data_of(emulator) == data_of(after)


def test_nothing_that_was_answered_is_lost_by_kill_9(file: Path) -> None:
    answered: list[str] = []
    for _ in range(3):
        with started(file) as (process, said):
            http = httpx.Client(
                base_url=f"{said['base_url']}/v1/{said['app_id']}",
                headers={"authorization": f"Bearer {said['secret_key']}"},
            )
            for number in range(40):
                user = f"u{len(answered)}"
                assert 200 == http.put(f"/users/{user}", json={"name": str(number)}).status_code
                answered.append(user)
            process.send_signal(signal.SIGKILL)
            process.wait()
            http.close()

    with closing(sqlite3.connect(file)) as database:
        stored = {
            json.loads(id_)
            for (id_,) in database.execute("SELECT id FROM records WHERE kind = 'user'")
        }
    assert set(answered) == stored


def started(file: Path, *arguments: str) -> Any:
    return _Started(file, arguments)


class _Started:
    """An emulator as a process of its own."""

    def __init__(self, file: Path, arguments: tuple[str, ...]) -> None:
        command = ["-m", "talkjs_async.emulator", "--no-limits", "--quiet", "--persist", str(file)]
        self._process = subprocess.Popen(
            [sys.executable, *command, *arguments], stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> tuple[subprocess.Popen[str], dict[str, str]]:
        assert self._process.stdout is not None
        return self._process, json.loads(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_a_seed_is_loaded_into_an_empty_file_only(file: Path) -> None:
    def messages() -> int:
        with started(file, "--load", "demo") as (_, said):
            answer = httpx.get(
                f"{said['base_url']}/v1/{said['app_id']}/conversations/red-bicycle/messages",
                headers={"authorization": f"Bearer {said['secret_key']}"},
            )
        return len(answer.json()["data"])

    assert [3, 3] == [messages(), messages()]
    assert [file] == list(file.parent.iterdir())


def filled(file: Path) -> bytes:
    emulator = Emulator(persist=file, limits=Limits.off(), switches=Switches())
    anyio.run(live_through_everything, emulator)
    emulator.close()
    return file.read_bytes()


def test_a_damaged_file_is_told_and_left_alone(file: Path) -> None:
    whole = filled(file)
    for length in (1, 50, 100, 1000, 4096, len(whole) // 2, len(whole) - 4096):
        file.write_bytes(whole[:length])

        with pytest.raises(ValueError, match=r"talkjs\.db (is no file|.*is damaged)"):
            Emulator(persist=file)

        assert whole[:length] == file.read_bytes()


def test_a_record_that_makes_no_sense_is_told(file: Path) -> None:
    filled(file)
    for change in (
        "UPDATE records SET data = '{' WHERE kind = 'user'",
        "UPDATE records SET data = '{}' WHERE kind = 'user'",
        "UPDATE records SET data = '[]' WHERE kind = 'app'",
        "DELETE FROM records WHERE kind = 'app'",
        "DELETE FROM records WHERE kind = 'file'",
        "UPDATE records SET parent = '\"nowhere\"' WHERE kind = 'message'",
    ):
        copy = file.with_name("copy.db")
        copy.write_bytes(file.read_bytes())
        with closing(sqlite3.connect(copy)) as database:
            database.execute(change)
            database.commit()

        with pytest.raises(ValueError, match=r"copy\.db is damaged: .* Remove it to begin anew"):
            Emulator(persist=copy)


def test_files_of_others_are_refused(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE accounts (id)")
    with pytest.raises(ValueError, match="is no file of an emulator's"):
        Emulator(persist=file)
    file.write_text("name,email\n" * 100)
    with pytest.raises(ValueError, match="is no file of an emulator's"):
        Emulator(persist=file)
    with pytest.raises(ValueError, match="cannot be opened"):
        Emulator(persist=file.parent / "no" / "such" / "folder.db")
    with pytest.raises(ValueError, match="cannot be opened"):
        Emulator(persist=file.parent)


def test_a_file_of_another_version_is_refused(file: Path) -> None:
    Emulator(persist=file).close()
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")

    with pytest.raises(ValueError, match="was written by another version of the emulator"):
        Emulator(persist=file)


def test_two_emulators_cannot_share_a_file(file: Path, opened: Callable[..., Emulator]) -> None:
    opened(file)

    with pytest.raises(ValueError, match="is in use by another emulator"):
        Emulator(persist=file)


async def test_what_cannot_be_written_is_an_error_and_is_tried_again(
    file: Path, opened: Callable[..., Emulator]
) -> None:
    emulator = opened(file)
    send = requests_of(emulator)
    await send("PUT", "/users/ann", {"name": "Ann"})
    assert emulator._persistence is not None
    (pages,) = emulator._persistence._database.execute("PRAGMA page_count").fetchone()
    emulator._persistence._database.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OSError, match=r"cannot write to .*full"):
        await send("PUT", "/users/bo", {"name": "B" * 100_000})
    emulator._persistence._database.execute("PRAGMA max_page_count = 1000000")
    await send("PUT", "/users/cy", {"name": "Cy"})
    emulator.close()

    assert {"ann", "bo", "cy"} == set(opened(file).main_app.users)


async def test_another_key_and_another_app_are_added_to_what_is_there(
    file: Path, opened: Callable[..., Emulator]
) -> None:
    first = opened(file)
    await requests_of(first)("PUT", "/users/ann", {"name": "Ann"})
    first.close()

    rekeyed = opened(file, secret_key="sk_test_other")
    assert ["sk_test_other", "sk_test_emulator"] == rekeyed.main_app.secret_keys
    rekeyed.close()
    other = opened(file, app_id="other", clock=RealClock())

    assert {"other", "emulator"} == set(other.apps)
    assert {} == other.main_app.users
