"""Users."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

FULL: dict[str, Any] = {
    "name": "Alice",
    "email": ["alice@example.com"],
    "phone": ["+31 6 12345678"],
    "welcomeMessage": "Hey!",
    "photoUrl": "https://example.com/a.png",
    "locale": "nl-NL",
    "role": "vip",
    "availabilityText": "Mornings",
    "custom": {"age": "33"},
    "pushTokens": {"fcm:1": True},
}


async def test_what_is_put_can_be_got(send: Send) -> None:
    assert (await send("PUT", "/users/alice", FULL)).json() == {}

    got = (await send("GET", "/users/alice")).json()

    assert got == {**FULL, "id": "alice", "createdAt": 1767225600000}


async def test_only_what_is_given_changes(emulator: Emulator, send: Send) -> None:
    await send("PUT", "/users/alice", FULL)
    await emulator.clock.sleep(5)

    await send("PUT", "/users/alice", {"photoUrl": None, "email": [], "id": "alice"})

    expected = {**FULL, "photoUrl": None, "email": [], "id": "alice", "createdAt": 1767225600000}
    assert (await send("GET", "/users/alice")).json() == expected


async def test_custom_data_is_merged_and_null_removes(emulator: Emulator, send: Send) -> None:
    async def custom_after(change: object) -> object:
        await send("PUT", "/users/a", {"name": "A", "custom": change})
        return (await send("GET", "/users/a")).json()["custom"]

    assert await custom_after({"x": "1", "y": "2"}) == {"x": "1", "y": "2"}
    assert await custom_after({"y": None, "z": "3"}) == {"x": "1", "z": "3"}
    emulator.switches.custom_update = "replace"
    assert await custom_after({"w": "4", "v": None}) == {"w": "4"}
    assert await custom_after(None) == {}


async def test_push_tokens_are_registered_one_by_one(send: Send) -> None:
    async def tokens_after(change: object) -> object:
        await send("PUT", "/users/a", {"name": "A", "pushTokens": change})
        return (await send("GET", "/users/a")).json()["pushTokens"]

    assert await tokens_after({"fcm:1": True}) == {"fcm:1": True}
    assert await tokens_after({"apns:2": True, "fcm:1": None}) == {"apns:2": True}
    assert await tokens_after(None) is None


async def test_a_new_user_needs_a_name(send: Send) -> None:
    refused = await send("PUT", "/users/alice", {"role": "vip"})

    assert refused.status_code == 400
    assert refused.json() == {"errorCode": "INVALID_REQUEST", "reasons": ["name: is required."]}
    assert (await send("GET", "/users/alice")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", 1),
        ("email", "alice@example.com"),
        ("email", [1]),
        ("phone", {}),
        ("custom", []),
        ("custom", {"a": 1}),
        ("pushTokens", {"fcm:1": False}),
        ("role", 5),
        ("id", 5),
    ],
)
async def test_a_wrong_field_is_named(send: Send, field: str, value: object) -> None:
    refused = await send("PUT", "/users/alice", {**FULL, field: value})

    assert refused.status_code == 400
    assert refused.json()["reasons"][0].startswith(f"{field}: ")


async def test_reasons_may_be_an_object(emulator: Emulator, send: Send) -> None:
    emulator.switches.reasons = "fields"

    refused = await send("PUT", "/users/alice", {"name": 1, "role": 2})

    assert refused.json()["reasons"] == {
        "name": ["must be a string"],
        "role": ["must be a string"],
    }


async def test_unknown_fields_are_ignored_unless_the_server_minds(
    emulator: Emulator, send: Send
) -> None:
    assert (await send("PUT", "/users/a", {"name": "A", "shoe": 43})).status_code == 200

    emulator.switches.unknown_fields = "reject"
    assert (await send("PUT", "/users/a", {"name": "A", "shoe": 43})).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"name": NaN}'])
async def test_a_body_that_is_no_object_is_a_400(emulator: Emulator, body: bytes) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        answer = await client.put(
            "http://emulator/v1/emulator/users/a",
            content=body,
            headers={
                "authorization": "Bearer sk_test_emulator",
                "content-type": "application/json",
            },
        )

    assert answer.status_code == 400


@pytest.mark.parametrize("depth", [100_000])
async def test_a_body_nested_too_deeply_is_a_400(emulator: Emulator, depth: int) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        answer = await client.put(
            "http://emulator/v1/emulator/users/a",
            content=b"[" * depth,
            headers={
                "authorization": "Bearer sk_test_emulator",
                "content-type": "application/json",
            },
        )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("switch", "status"),
    [("bad_request", 400), ("unsupported_media_type", 415), ("ignore", 200)],
)
async def test_a_body_must_be_declared_as_json(
    emulator: Emulator, send: Send, switch: str, status: int
) -> None:
    emulator.switches.wrong_content_type = switch  # type: ignore[assignment]

    answer = await send("PUT", "/users/a", {"name": "A"}, headers={"content-type": "text/plain"})

    assert answer.status_code == status


@pytest.mark.parametrize("declared", ["Application/JSON", "application/json; Charset=UTF-8"])
async def test_the_content_type_is_compared_without_case(send: Send, declared: str) -> None:
    answer = await send("PUT", "/users/a", {"name": "A"}, headers={"content-type": declared})

    assert answer.status_code == 200


async def test_shapes_that_were_never_set_follow_the_switches(
    emulator: Emulator, send: Send
) -> None:
    await send("PUT", "/users/a", {"name": "A"})
    plain = (await send("GET", "/users/a")).json()
    emulator.switches.empty_phone = "list"
    emulator.switches.unset_role = "null"
    other = (await send("GET", "/users/a")).json()

    assert (plain["phone"], plain["role"]) == (None, "default")
    assert (other["phone"], other["role"]) == ([], None)


async def test_many_users_are_put_at_once(send: Send) -> None:
    users = {f"u{number}": {"name": str(number)} for number in range(100)}

    assert (await send("PUT", "/users", users)).json() == {}

    assert len((await send("GET", "/users", limit=100)).json()["data"]) == 100


async def test_more_than_a_hundred_at_once_are_refused(emulator: Emulator, send: Send) -> None:
    users = {f"u{number}": {"name": str(number)} for number in range(101)}

    assert (await send("PUT", "/users", users)).status_code == 400
    assert (await send("PUT", "/users", [])).status_code == 400
    assert len(emulator.commits) == 0


BAD = {"ok": {"name": "Ok"}, "no-name": {}, "no-list": {"name": "N", "email": "n@example.com"}}


async def test_one_bad_user_refuses_all_and_every_bad_one_is_named(
    emulator: Emulator, send: Send
) -> None:
    refused = await send("PUT", "/users", BAD)

    assert refused.status_code == 400
    assert refused.json()["reasons"] == {
        "no-name": ["name: is required."],
        "no-list": ["email: must be a list."],
    }
    assert len(emulator.commits) == 0


@pytest.mark.parametrize(
    ("switch", "names"), [("bare", {"no-name", "no-list"}), ("unnamed", {"errorCode", "reasons"})]
)
async def test_how_bad_users_are_named_is_a_setting(
    emulator: Emulator, send: Send, switch: str, names: set[str]
) -> None:
    emulator.switches.users_batch_errors = switch  # type: ignore[assignment]

    refused = await send("PUT", "/users", BAD)

    assert refused.status_code == 400
    assert set(refused.json()) == names


async def test_users_are_listed_newest_first(emulator: Emulator, send: Send) -> None:
    for user_id in ("a", "b", "c"):
        await send("PUT", f"/users/{user_id}", {"name": user_id})
        await emulator.clock.sleep(1)
    await send("PUT", "/users/a", {"name": "A changed user stays in place"})

    listed = (await send("GET", "/users", limit=2)).json()["data"]
    rest = (await send("GET", "/users", startingAfter="b")).json()["data"]

    assert ["c", "b"] == [user["id"] for user in listed]
    assert ["a"] == [user["id"] for user in rest]


async def test_no_user_is_online_without_a_session(send: Send) -> None:
    await send("PUT", "/users/a", {"name": "A"})

    assert (await send("GET", "/users", isOnline="true")).json()["data"] == []
    assert len((await send("GET", "/users", isOnline="false")).json()["data"]) == 1
    assert (await send("GET", "/users", isOnline="maybe")).status_code == 400
