"""Users as they come, and as they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from talkjs_async.errors import ConfigurationError
from talkjs_async.models.users import User, UserInput

WIRE: dict[str, Any] = {
    "id": "alice",
    "name": "Alice",
    "welcomeMessage": None,
    "photoUrl": "https://example.com/alice.jpg",
    "role": "default",
    "email": ["alice@example.com"],
    "phone": None,
    "custom": {"team": "blue"},
    "availabilityText": None,
    "locale": "en-GB",
    "createdAt": 1_700_000_000_000,
    "pushTokens": {"fcm:token": True},
}


def test_a_user_is_read_from_the_documented_object() -> None:
    user = User.from_wire(WIRE)

    expected = User(
        id="alice",
        name="Alice",
        photo_url="https://example.com/alice.jpg",
        role="default",
        email=("alice@example.com",),
        custom={"team": "blue"},
        locale="en-GB",
        created_at_ms=1_700_000_000_000,
        push_tokens={"fcm:token": True},
    )
    assert expected == user
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == user.created_at


@pytest.mark.parametrize("phone", [None, []])
def test_no_phone_is_an_empty_tuple_however_talkjs_says_it(phone: object) -> None:
    user = User.from_wire({**WIRE, "phone": phone})

    assert () == user.phone


def test_only_given_fields_are_written_and_none_clears() -> None:
    wire = UserInput(name="Alice", phone=None, custom={"team": None}).to_wire()

    assert {"name": "Alice", "phone": None, "custom": {"team": None}} == wire


def test_all_fields_are_written_under_talkjs_keys() -> None:
    wire = UserInput(
        name="Alice",
        email=["a@example.com"],
        phone=("+31612345678",),
        photo_url="p",
        welcome_message="w",
        locale="nl",
        role="admin",
        availability_text="away",
        custom={"k": "v"},
        push_tokens={"apns:x": True, "fcm:y": None},
    ).to_wire()

    assert {
        "name": "Alice",
        "email": ("a@example.com",),
        "phone": ("+31612345678",),
        "photoUrl": "p",
        "welcomeMessage": "w",
        "locale": "nl",
        "role": "admin",
        "availabilityText": "away",
        "custom": {"k": "v"},
        "pushTokens": {"apns:x": True, "fcm:y": None},
    } == wire


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", None),
        ("name", 3),
        ("photo_url", "half \ud800"),
        ("custom", {"half \ud800": "x"}),
        ("email", "alice@example.com"),
        ("email", [1]),
        ("email", {"a": "b"}),
        ("phone", 5),
        ("locale", b"en"),
        ("custom", {"a": 1}),
        ("custom", {1: "a"}),
        ("custom", [("a", "b")]),
        ("push_tokens", {"fcm:x": False}),
        ("push_tokens", {"": True}),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        UserInput(**{argument: value})

    assert argument == caught.value.argument
    assert "must" in caught.value.rule


def test_an_input_does_not_follow_later_changes_of_what_it_was_given() -> None:
    custom = {"team": "blue"}
    emails = ["a@example.com"]
    user = UserInput(custom=custom, email=emails)

    custom["team"] = "red"
    emails.append("b@example.com")

    assert {"custom": {"team": "blue"}, "email": ("a@example.com",)} == user.to_wire()


@pytest.mark.parametrize(
    ("wire", "role"),
    [
        ({"configuration": "buyer"}, "buyer"),
        ({"configuration": "buyer", "role": "seller"}, "seller"),
        ({"configuration": "buyer", "role": None}, None),
        ({"configuration": None}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_the_role_is_read_under_its_older_name_too(
    wire: dict[str, Any], role: str | None, *, complete: bool
) -> None:
    others = {f"new_{number}": number for number in range(20 if complete else 0)}

    user = User.from_wire({"id": "a", "name": "A", "createdAt": 1, **others, **wire})

    assert role == user.role
    assert {key: value for key, value in wire.items() if key != "role"} | others == user.extra
