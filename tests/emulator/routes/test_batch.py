"""Many operations in one request."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator, Limits

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]

Answers = dict[float, tuple[int, Any]]


async def run(send: Send, *operations: object) -> Answers:
    answer = await send("POST", "/batch", list(operations))
    assert answer.status_code == 200
    return {number: (status, body) for number, status, body in answer.json()}


async def test_each_operation_gets_an_answer_of_its_own(send: Send) -> None:
    message = {"type": "UserMessage", "sender": "alice", "text": "hi"}

    answers = await run(
        send,
        [1, "PUT", "/users/carol", {"name": "Carol"}],
        [2.5, "GET", "/users/nobody"],
        [-3, "POST", "/conversations/chat/messages", [message]],
        [4, "GET", "/users/bob", None],
        [5, "DELETE", "/conversations/none", {}],
        [6, "PUT", "/users/dave", {}],
        [7, "GET", "/nothing/here"],
    )

    assert answers[1] == (200, {})
    assert answers[2.5][0] == 404
    assert answers[2.5][1]["errorCode"] == "USER_NOT_FOUND"
    assert answers[-3][1][0]["id"].startswith("msg_")
    assert answers[4][1]["name"] == "Bob"
    assert [404, 400] == [answers[number][0] for number in (5, 6)]
    assert answers[7] == (404, "Not found")


async def test_an_operation_may_have_three_parts(send: Send) -> None:
    message = {"type": "UserMessage", "sender": "alice", "text": "hi"}
    await send("POST", "/conversations/chat/messages", [message])

    answers = await run(
        send, [1, "GET", "/users/bob"], [2, "POST", "/conversations/chat/readBy/bob"]
    )

    assert (answers[1][0], answers[2]) == (200, (200, {}))
    chat = (await send("GET", "/conversations/chat")).json()
    assert chat["participants"]["bob"]["isUnread"] is False


async def test_the_payload_of_a_get_is_its_query(send: Send) -> None:
    answers = await run(
        send,
        [1, "GET", "/users", {"limit": "1"}],
        [2, "GET", "/users?limit=1", {"startingAfter": "bob"}],
        [3, "GET", "/users", {"limit": 1}],
        [4, "GET", "/users", ["limit"]],
    )

    assert [len(answers[1][1]["data"]), len(answers[2][1]["data"])] == [1, 1]
    assert answers[2][1]["data"][0]["id"] == "alice"
    assert [400, 400] == [answers[3][0], answers[4][0]]


async def test_a_version_is_given_per_operation(send: Send) -> None:
    path = "/users/nobody/conversations"

    answers = await run(
        send, [1, "GET", path], [2, "GET", path, None, {"api_version": "2021-07-30"}]
    )

    assert (answers[1][0], answers[2]) == (404, (200, {"data": []}))


async def test_operations_run_and_answer_in_no_order(emulator: Emulator, send: Send) -> None:
    ten = [[number, "PUT", f"/users/u{number}", {"name": "U"}] for number in range(10)]
    answered = [entry[0] for entry in (await send("POST", "/batch", ten)).json()]
    done = [commit.user_id for commit in emulator.commits.of("user.created")][2:]

    assert sorted(answered) == list(range(10)) != answered
    assert sorted(done, key=str) == [f"u{number}" for number in range(10)] != done
    assert done != [f"u{number}" for number in answered]


async def test_ten_operations_at_most(send: Send) -> None:
    operation = [1, "GET", "/users"]

    assert (await send("POST", "/batch", [operation] * 10)).status_code == 200
    assert (await send("POST", "/batch", [operation] * 11)).status_code == 400
    assert (await send("POST", "/batch", [])).json() == []


@pytest.mark.parametrize(
    "operation",
    [
        {},
        [1, "GET"],
        [1, "GET", "users"],
        ["1", "GET", "/users"],
        [True, "GET", "/users"],
        [1, 2, "/users"],
        [1, "GET", "/users", None, {"api_version": 2021}],
        [1, "GET", "/users", None, "2021-01-01"],
        [1, "GET", "/users", None, {}, None],
    ],
)
async def test_a_malformed_operation_refuses_the_whole(
    emulator: Emulator, send: Send, operation: object
) -> None:
    before = len(emulator.commits)
    body = [[1, "PUT", "/users/carol", {"name": "Carol"}], operation]

    assert (await send("POST", "/batch", body)).status_code == 400
    assert len(emulator.commits) == before


async def test_a_batch_in_a_batch_and_an_upload_are_refused(send: Send) -> None:
    answers = await run(
        send,
        [1, "POST", "/batch", []],
        [2, "POST", "/files", {}],
        [3, "POST", "/anonymousAccounts", {}],
    )

    assert {1: 400, 2: 400, 3: 404} == {number: answer[0] for number, answer in answers.items()}


async def test_a_batch_has_a_rate_limit_of_its_own(emulator: Emulator, send: Send) -> None:
    emulator.limits = Limits(burst=0, batch_burst=2)

    statuses = [(await send("POST", "/batch", [])).status_code for _ in range(3)]
    await emulator.clock.sleep(1)
    statuses.append((await send("POST", "/batch", [])).status_code)

    assert [200, 200, 429, 200] == statuses


@pytest.mark.parametrize("body", ["json", "text", "empty"])
async def test_operations_may_be_charged_to_the_ordinary_limit(
    emulator: Emulator, send: Send, body: str
) -> None:
    emulator.limits = Limits(burst=3)
    emulator.switches.batch_charges = "each"
    emulator.switches.rate_limit_body = body  # type: ignore[assignment]

    answers = await run(send, *([number, "GET", "/users"] for number in range(5)))

    statuses = sorted(status for status, _ in answers.values())
    assert [200, 200, 200, 429, 429] == statuses
    emulator.limits = Limits.off()
    answers = await run(send, [1, "GET", "/users"])
    assert answers[1][0] == 200


async def test_a_fault_may_hit_single_operations(emulator: Emulator, send: Send) -> None:
    emulator.faults.add("return-503", on="PUT /users/*", nth=1)
    emulator.faults.add("return-500-after-commit", on="PUT /users/*", nth=1)
    emulator.faults.add("return-503", p=0)
    emulator.faults.add("drop-after-commit", on="PUT /users/*")
    before = len(emulator.commits)

    answers = await run(
        send, *([number, "PUT", f"/users/{number}", {"name": "N"}] for number in (1, 2, 3))
    )

    assert [200, 500, 503] == sorted(status for status, _ in answers.values())
    assert len(emulator.commits) == before + 2


async def test_the_request_log_has_operations_inside_their_batch(
    emulator: Emulator, send: Send
) -> None:
    message = {"type": "SystemMessage", "text": "hi", "idempotencyKey": "k"}
    before = len(emulator.requests)

    await run(
        send,
        [1, "POST", "/conversations/chat/messages", [message]],
        [2, "GET", "/users", {"limit": "1"}],
    )

    assert len(emulator.requests) == before + 1
    inside = {entry.operation: entry for entry in emulator.requests[-1].operations}
    assert set(inside) == {"messages.send", "users.list"}
    assert inside["users.list"].query == "limit=1"
    assert [entry.operation for entry in emulator.requests.attempts()["k"]] == ["messages.send"]
