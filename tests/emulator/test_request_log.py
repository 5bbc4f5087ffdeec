"""The request log says what was asked."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator._requests import Request

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]


def message(key: str) -> list[dict[str, str]]:
    return [{"type": "UserMessage", "sender": "alice", "text": "hi", "idempotencyKey": key}]


async def test_every_request_leaves_an_entry(emulator: Emulator, send: Send) -> None:
    emulator.requests.clear()
    await emulator.clock.sleep(1)

    await send("GET", "/users/a%2Fb", limit=3, headers={"TalkJS-REST-Version": "2021-02-09"})

    (entry,) = emulator.requests
    assert (entry.method, entry.path, entry.query) == ("GET", "/users/a%2Fb", "limit=3")
    assert (entry.status, entry.operation) == (404, "users.get")
    assert (entry.api_version, entry.app_id) == ("2021-02-09", "emulator")
    assert entry.at == emulator.clock.time()


async def test_attempts_are_counted_by_idempotency_key(emulator: Emulator, send: Send) -> None:
    path = "/conversations/chat/messages"
    for fault in ("return-429", "return-503", "drop-after-commit"):
        emulator.faults.add(fault, first=1)

    statuses = []
    for _ in range(4):
        try:
            statuses.append((await send("POST", path, message("k"))).status_code)
        except httpx.RemoteProtocolError:
            statuses.append(0)
    await send("POST", path, message("other"))

    entries = emulator.requests.find("POST /conversations/*/messages")
    assert [429, 503, None, 200, 200] == [entry.status for entry in entries]
    assert [1, 2, 3, 4, 1] == [entry.attempt for entry in entries]
    attempts = emulator.requests.attempts()
    assert {"k": 4, "other": 1} == {key: len(group) for key, group in attempts.items()}
    assert len(emulator.commits.of("message.sent")) == 2


async def test_the_logs_hold_no_secret(emulator: Emulator, send: Send) -> None:
    await send("GET", "/users", headers={"authorization": f"Bearer {emulator.secret_key}"})

    logs = [*map(repr, emulator.requests), *map(repr, emulator.commits), repr(emulator)]
    assert all(emulator.secret_key not in entry for entry in logs)
    assert emulator.secret_key not in repr(emulator.apps)
    request = Request("GET", "/", headers={b"authorization": emulator.secret_key.encode()})
    assert emulator.secret_key not in repr(request)


async def test_a_log_may_have_a_limit() -> None:
    emulator = Emulator(log_limit=3)
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        for _ in range(5):
            await client.get("http://emulator/v1/emulator/users")

    assert [3, 4, 5] == [entry.number for entry in emulator.requests]
    assert [4, 5] == [entry.number for entry in emulator.requests[1:]]
    assert (3, 5) == (len(emulator.requests), emulator.requests.total)


async def test_a_body_that_is_no_list_of_messages_has_no_keys(
    emulator: Emulator, send: Send
) -> None:
    emulator.faults.add("return-503")

    await send("POST", "/conversations/chat/messages", {"idempotencyKey": "k"})
    await send("POST", "/conversations/chat/messages", [1, {"idempotencyKey": 2}])

    assert emulator.requests.attempts() == {}
