"""Tokens, signatures and conversation IDs that TalkJS's own SDKs agree with."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
import shutil
import subprocess
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.errors import ConfigurationError
from talkjs_async.identity import Tokens, one_on_one_id

NOW = 1_750_000_000.5
KEY = "sk_test_a_key_that_is_long_enough_for_jwt"


class FixedClock:
    """A clock that stands still."""

    def time(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def tokens() -> Tokens:
    """Tokens of an app at a known moment."""
    return Tokens("q3k1pa9d", KEY, clock=FixedClock())


def claims(token: str) -> Any:
    """Verify the signature and read the claims."""
    return jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False})


def test_a_user_token_has_the_documented_claims(tokens: Tokens) -> None:
    token = tokens.user("alice")

    assert {
        "tokenType": "user",
        "iss": "q3k1pa9d",
        "sub": "alice",
        "exp": 1_750_086_400,
    } == claims(token)
    assert {"alg": "HS256", "typ": "JWT"} == jwt.get_unverified_header(token)


def test_a_user_token_lives_as_long_as_asked(tokens: Tokens) -> None:
    assert 1_750_000_000 + 1800 == claims(tokens.user("alice", expires_in=1800))["exp"]


@pytest.mark.parametrize("expires_in", [120, 0, -1, float("nan"), float("inf"), None, True])
def test_a_user_token_that_is_dead_on_arrival_is_refused(tokens: Tokens, expires_in: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_in"):
        tokens.user("alice", expires_in=expires_in)


def test_an_app_token_has_the_documented_claims(tokens: Tokens) -> None:
    assert {
        "tokenType": "app",
        "iss": "q3k1pa9d",
        "iat": 1_750_000_000,
        "exp": 1_750_000_030,
    } == claims(tokens.app())


@pytest.mark.parametrize("expires_in", [0, -1, float("nan"), None])
def test_an_app_token_without_life_is_refused(tokens: Tokens, expires_in: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_in"):
        tokens.app(expires_in=expires_in)


def test_the_signature_is_the_hmac_of_the_user_id(tokens: Tokens) -> None:
    expected = hmac.new(KEY.encode(), "bób".encode(), hashlib.sha256).hexdigest()

    assert expected == tokens.signature("bób")


@pytest.mark.parametrize("user_id", ["", None, 7, "\ud800"])
def test_nobody_gets_no_token(tokens: Tokens, user_id: Any) -> None:
    with pytest.raises(ConfigurationError, match="user_id"):
        tokens.user(user_id)
    with pytest.raises(ConfigurationError, match="user_id"):
        tokens.signature(user_id)


@pytest.mark.parametrize("key", ["", None, b"bytes", "\ud800"])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="secret_key"):
        Tokens("q3k1pa9d", key)


def test_the_key_shows_nowhere(tokens: Tokens) -> None:
    assert "Tokens('q3k1pa9d', <hidden>)" == repr(tokens)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(tokens)


def test_a_short_key_signs_without_a_warning() -> None:
    assert 2 == Tokens("emulator", "sk_test").user("alice").count(".")


# Computed by node: sha1(JSON.stringify([a, b].sort())).
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("a", "b", "d12e223825a919e00efd"),
        ("1234", "abcd", "35ec37e6e0ca43ac8ccc"),
        ("😀", "～", "c910b806f23ff28fd072"),
        ("\ud83d\ude00", "～", "c910b806f23ff28fd072"),
        ("\ud800x", 'é"\n\x01\x7f', "3fd918bb0bdd3c0c0b6b"),
        ("\u2028/", "\b\f\t\\", "d80adcbef8c892b516d1"),
        ("ä", "z", "fb80c71429219f367f94"),
        ("same", "same", "4aaec2c7045b7673d297"),
    ],
    ids=ascii,
)
def test_two_users_have_the_id_that_javascript_computes(a: str, b: str, expected: str) -> None:
    assert expected == one_on_one_id(a, b)
    assert expected == one_on_one_id(b, a)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_javascript_agrees_on_any_text() -> None:
    pairs: list[list[str]] = []

    @given(st.lists(st.text(st.characters(), min_size=1), min_size=2, max_size=2))
    def collect(pair: list[str]) -> None:
        pairs.append(pair)

    collect()
    script = """
        const { createHash } = require("crypto");
        const id = (pair) => createHash("sha1").update(JSON.stringify(pair.sort())).digest("hex");
        const pairs = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(pairs.map((pair) => id(pair).slice(0, 20))));
    """

    node = subprocess.run(
        ["node", "-e", script], input=json.dumps(pairs).encode(), capture_output=True, check=True
    )

    assert json.loads(node.stdout) == [one_on_one_id(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("argument", "pair"), [("a", ("", "b")), ("b", ("a", 5)), ("a", (None, "b"))]
)
def test_an_id_that_is_none_is_named(argument: str, pair: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        one_on_one_id(*pair)

    assert argument == caught.value.argument


@pytest.mark.parametrize("clock", [1_700_000_000, FixedClock, "now"])
def test_what_is_no_clock_is_named_at_once(clock: Any) -> None:
    with pytest.raises(ConfigurationError, match="clock: must have the methods"):
        Tokens("app", KEY, clock=clock)
