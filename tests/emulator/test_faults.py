"""Fault plans: which requests they hit, and on which side of the commit."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Fault
from talkjs_async.emulator._patterns import request_pattern
from talkjs_async.emulator.faults import Faults
from talkjs_async.emulator.routes import ROUTES

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

MESSAGE = [{"type": "UserMessage", "sender": "alice", "text": "hi"}]


def faults(seed: int = 0) -> Faults:
    return Faults(
        seed=seed,
        monotonic=lambda: 0.0,
        routes=[(route.method, route.path) for route in ROUTES],
    )


@pytest.mark.parametrize(
    "id_",
    [
        "return",
        "return-503-before",
        "return-999",
        "return-100",
        "return-429-retry-after-" + "9" * 400,
        "return-429-retry-after-" + "9" * 10 + "-date",
        "latency-" + "9" * 400,
        "latency",
        "drop",
        "stall",
        "reset-after",
        "refuse-after-commit",
        "latency-1-before-commit",
        "explode",
        "",
        503,
        None,
    ],
)
def test_an_unknown_fault_is_refused_when_it_is_planned(id_: Any) -> None:
    with pytest.raises(ValueError, match="fault"):
        faults().add(id_)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "0.5", None])
def test_a_probability_is_between_zero_and_one(p: Any) -> None:
    with pytest.raises(ValueError, match="p must be"):
        faults().add("return-503", p=p)


def test_first_and_nth_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude"):
        faults().add("return-503", first=1, nth=1)


@pytest.mark.parametrize(
    "never",
    [
        {"first": -1},
        {"first": True},
        {"first": 2.5},
        {"nth": 0},
        {"nth": ()},
        {"nth": ("a",)},
        {"nth": ([1],)},
        {"nth": (None,)},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"seconds": "1h"},
        {"seconds": timedelta(hours=1)},
    ],
    ids=repr,
)
def test_a_condition_that_no_request_meets_is_refused(never: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(never))):
        faults().add("return-503", **never)


@pytest.mark.parametrize(
    ("on", "nearest"),
    [
        ("GET /user/*", "GET /users/*"),
        ("GETT", "GET /"),
        ("users", "PUT /users"),
        ("GET users", "GET /users"),
        ("/v1/emulator/users", "PUT /users"),
        ("GET /users?limit=5", "GET /users"),
        ("/users/zoë", "PUT /users/*"),
        ("/users/a b", "PUT /users/*"),
        ("DELETE /users/*", "GET /users/*"),
        ("HEAD", "GET /"),
        ("POST /conversations/c1/message", "POST /conversations/*/messages"),
        ("https://api.talkjs.com/v1/x/users", "PUT /users"),
        ("/users//", "PUT /users/*"),
        ("**", "PUT /users/*"),
        ("/users/*/x", "PUT /users/*"),
    ],
)
def test_a_fault_on_a_path_that_no_route_has_is_refused_with_what_is_near(
    on: str, nearest: str
) -> None:
    planned = faults()

    with pytest.raises(ValueError, match="the emulator has no route like it") as caught:
        planned.add("return-503", on=on)

    assert nearest in re.split(r"nearest are |, |\. A path", str(caught.value))
    assert 0 == len(planned)


@pytest.mark.parametrize("on", ["", " "])
def test_a_fault_on_nothing_is_not_one_on_everything(on: str) -> None:
    with pytest.raises(ValueError, match="the emulator has no route like it"):
        faults().add("return-503", on=on)


@settings(max_examples=25)
@given(
    on=st.text(alphabet="*/{ab", max_size=8), ids=st.lists(st.text("ab", min_size=1), min_size=3)
)
def test_what_a_request_to_a_route_can_match_is_taken(on: str, ids: list[str]) -> None:
    for route in ROUTES:
        left = iter(ids)
        path = re.sub(r"\{\w+\}", lambda _: next(left, "a"), route.path)  # noqa: B023
        for wanted in (on, f"/users/{on}", f"{path}{on}", f"{path[:5]}**{on}"):
            if wanted and request_pattern(wanted).fullmatch(f"{route.method} {path}"):
                faults().add("return-503", on=wanted)


def hits(planned: Faults, *, requests: int = 10) -> list[int]:
    return [
        number
        for number in range(1, requests + 1)
        if planned.pick("POST", "/users/a", before_admission=False)
    ]


def test_first_hits_the_first_so_many() -> None:
    planned = faults()
    plan = planned.add("return-503", first=3)

    assert [1, 2, 3] == hits(planned)
    assert (3, 0) == (plan.fired, plan.left)


def test_nth_hits_exactly_those() -> None:
    planned = faults()
    planned.add("return-503", nth=(2, 5))
    planned.add("return-500", nth=9)

    # The second plan counts only what the first one let through.
    assert [2, 5] == hits(planned)
    assert [1] == hits(planned, requests=1)


def test_a_plan_without_conditions_hits_everything() -> None:
    planned = faults()
    planned.add("return-503")

    assert hits(planned) == list(range(1, 11))


def test_probability_zero_never_fires_and_asks_for_nothing() -> None:
    planned = faults()
    planned.add("return-503", p=0)

    assert hits(planned, requests=1_000) == []
    assert planned.unfired == []


def test_a_probability_is_kept_in_the_long_run_and_repeatable() -> None:
    one, same, other = faults(1), faults(1), faults(2)
    for planned in (one, same, other):
        planned.add("return-503", p=0.05)

    fired = hits(one, requests=20_000)

    assert 900 < len(fired) < 1_100
    assert hits(same, requests=20_000) == fired
    assert hits(other, requests=20_000) != fired


@given(
    first=st.one_of(st.none(), st.integers(0, 5)),
    p=st.sampled_from([0.0, 0.5, 1.0]),
    requests=st.integers(0, 10),
)
def test_a_plan_never_fires_more_often_than_it_may(
    first: int | None, p: float, requests: int
) -> None:
    planned = faults()
    plan = planned.add("return-503", first=first, p=p)

    fired = hits(planned, requests=requests)

    assert len(fired) == plan.fired <= (requests if first is None else min(first, requests))


def test_unfired_names_the_plans_that_still_have_to_fire() -> None:
    planned = faults()
    twice, always, ninth, maybe = (
        planned.add("return-503", first=2, on="/users/*"),
        planned.add("return-500", on="/batch"),
        planned.add("return-500", nth=9, on="/batch"),
        planned.add("return-500", p=0.5, on="/batch"),
    )

    hits(planned, requests=1)
    assert [twice, always, ninth] == planned.unfired
    hits(planned, requests=1)
    assert [always, ninth] == planned.unfired
    assert maybe in planned

    planned.remove(always)
    assert len(planned) == 3
    planned.clear()
    assert planned.unfired == []


@pytest.mark.parametrize(
    ("on", "matches", "not_"),
    [
        (
            "POST /conversations/*/messages",
            "POST /conversations/c/messages",
            "POST /conversations/c",
        ),
        ("/users/*", "GET /users/a", "GET /users/a/conversations"),
        ("/users/**", "GET /users/a/conversations", "GET /conversations"),
        ("put", "PUT /users/a", "POST /users/a"),
        ("GET /users", "GET /users/", "GET /users/a"),
        ("/users/a.b", "GET /users/a.b", "GET /users/axb"),
    ],
)
def test_a_pattern_names_method_and_path(on: str, matches: str, not_: str) -> None:
    pattern = request_pattern(on)

    assert pattern.fullmatch(matches)
    assert not pattern.fullmatch(not_)


async def test_a_storm_ends_with_its_time(emulator: Emulator, send: Send) -> None:
    emulator.faults.add("return-503", seconds=5)

    assert (await send("GET", "/users")).status_code == 503
    await emulator.clock.sleep(4.9)
    assert (await send("GET", "/users")).status_code == 503
    await emulator.clock.sleep(0.1)
    assert (await send("GET", "/users")).status_code == 200


BEFORE = [
    "return-503",
    "return-500",
    "return-429",
    "return-429-retry-after-2",
    "return-502-html",
    "refuse",
    "drop-before-commit",
    "reset-before-commit",
    "stall-before-commit",
    "truncate-before-commit",
    "empty-200-before-commit",
]
AFTER = [
    "return-503-after-commit",
    "drop-after-commit",
    "reset-after-commit",
    "stall-after-commit",
    "truncate-after-commit",
    "truncated-json",
    "empty-200",
    "garbage",
    "latency-0.5",
]


async def test_an_empty_answer_does_not_turn_a_refusal_into_a_success(
    emulator: Emulator, send: Send
) -> None:
    emulator.faults.add("empty-200")

    assert (await send("PUT", "/users/alice", {"name": 5})).status_code == 400
    accepted = await send("PUT", "/users/alice", {"name": "Alice"})
    assert (accepted.status_code, accepted.content) == (200, b"")


@pytest.mark.parametrize(
    ("id_", "committed"), [(id_, 0) for id_ in BEFORE] + [(id_, 1) for id_ in AFTER]
)
@pytest.mark.usefixtures("chat")
async def test_a_fault_knows_its_side_of_the_commit(
    emulator: Emulator, send: Send, id_: str, committed: int
) -> None:
    emulator.faults.add(id_, on="POST", first=1)

    try:
        answer = await send("POST", "/conversations/chat/messages", MESSAGE)
        failed = answer.status_code != 200 or not _is_json(answer)
    except httpx.RequestError:
        failed = True

    assert failed is not id_.startswith("latency")
    assert committed == len(emulator.commits.of("message.sent"))
    assert emulator.requests[-1].fault == id_
    assert emulator.faults.unfired == []


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return False
    return True


async def test_a_body_may_not_be_what_its_encoding_says(emulator: Emulator) -> None:
    emulator.faults.add("bad-gzip")

    # Not read: a body that fails to decode leaves a generator of httpx behind.
    answer = await emulator.transport.handle_async_request(
        httpx.Request(
            "GET",
            "http://emulator/v1/emulator/users",
            headers={"authorization": f"Bearer {emulator.secret_key}"},
        )
    )

    assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")


@pytest.mark.parametrize(
    ("id_", "header"),
    [
        ("return-429-retry-after-2", "2"),
        ("return-503-retry-after-0.5", "0.5"),
        ("return-429-retry-after-2-date", "Thu, 01 Jan 2026 00:00:02 GMT"),
    ],
)
async def test_a_fault_may_say_when_to_come_back(
    emulator: Emulator, send: Send, id_: str, header: str
) -> None:
    emulator.faults.add(id_)

    assert (await send("GET", "/users")).headers["retry-after"] == header


async def test_what_never_reached_the_server_takes_no_token(emulator: Emulator, send: Send) -> None:
    for id_ in ("refuse", "return-429", "return-503"):
        emulator.faults.add(id_, first=1)
    with pytest.raises(httpx.ConnectError):
        await send("GET", "/users")
    await send("GET", "/users")
    await send("GET", "/users")

    # Only the 503 came from behind the rate limit.
    assert emulator.budget.ordinary.tokens(0) == 599


async def test_a_request_may_ask_for_its_own_fault(emulator: Emulator, send: Send) -> None:
    answer = await send("GET", "/users", headers={"X-Emulator-Fault": "return-503"})

    assert answer.status_code == 503


async def test_a_request_that_asks_for_a_fault_that_there_is_not_is_refused(
    emulator: Emulator, send: Send
) -> None:
    answer = await send("PUT", "/users/a", {"name": "A"}, headers={"X-Emulator-Fault": "retrun"})

    assert 400 == answer.status_code
    assert answer.json()["reasons"][0].startswith("There is no fault 'retrun'. There are: return-")
    assert 0 == emulator.commits.total


def test_a_fault_is_read_from_its_id() -> None:
    fault = Fault.parse("return-503-retry-after-1.5-after-commit")

    assert (fault.status, fault.retry_after, fault.after_commit) == (503, "1.5", True)
