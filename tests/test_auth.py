"""Credentials: what is signed, what is refused, what stays hidden."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async import (
    AppTokenAuth,
    AsyncTalkJS,
    ConfigurationError,
    SecretKeyAuth,
    Webhooks,
)
from talkjs_async._core.signer import Signer
from talkjs_async.identity import Tokens

KEY = "sk_test_of_more_than_thirty_two_bytes_for_pyjwt"


def read(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(
        token, KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}
    )
    return claims


@given(
    claims=st.dictionaries(
        st.text(min_size=1), st.text(st.characters(exclude_categories=["Cs"])), max_size=5
    ).filter(lambda claims: not set(claims) & {"exp", "iat", "nbf", "aud", "iss", "sub", "jti"})
)
def test_pyjwt_reads_what_we_sign(claims: dict[str, str]) -> None:
    assert claims == read(Signer(KEY).sign(claims))


def test_an_app_token_says_who_we_are_and_for_how_long() -> None:
    token = AppTokenAuth("app", KEY).bearer(1_000.7)

    assert {"tokenType": "app", "iss": "app", "iat": 1_000, "exp": 1_030} == read(token)
    assert {"alg": "HS256", "typ": "JWT"} == jwt.get_unverified_header(token)


def test_type_and_lifetime_of_a_token_can_be_chosen() -> None:
    token = AppTokenAuth("app", KEY, token_type="admin", lifetime=5.0).bearer(10.0)

    assert {"tokenType": "admin", "iss": "app", "iat": 10, "exp": 15} == read(token)


@pytest.mark.parametrize("lifetime", [0.0, -1.0, math.nan])
def test_a_token_must_live(lifetime: float) -> None:
    with pytest.raises(ConfigurationError, match="lifetime"):
        AppTokenAuth("app", KEY, lifetime=lifetime)


def test_the_legacy_key_is_its_own_bearer() -> None:
    assert KEY == SecretKeyAuth(KEY).bearer(0.0)


@pytest.mark.parametrize("key", ["", "sk\nlive", "schlüssel"])
def test_a_key_that_cannot_be_a_header_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="secret_key"):
        SecretKeyAuth(key)


PEM = "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"


@pytest.mark.parametrize(
    "key", ["", '{"kty": "oct"}', PEM, "\ud83d"], ids=["empty", "JWK", "PEM", "half a pair"]
)
def test_a_key_that_cannot_sign_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="secret_key: cannot sign") as caught:
        Signer(key)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


AROUND = ["{}\n", " {}", "\ufeff{}", "{}\r\n", "\t{} \ufeff"]
INSIDE = ["a b", "a\nb", "a\u200bb", "\u200ba", "a\u200e", "a\xadb", "a\x85b", "a\0", "a\ufeffb"]
WRONG_KEYS: list[Any] = [*INSIDE, "", " ", "\n", None, 7, b"sk", "\ud83d", "k" * 70_000]


@pytest.mark.parametrize("around", AROUND)
def test_what_stands_around_a_credential_is_no_part_of_it(around: str) -> None:
    key, app_id = around.format("sk_x"), around.format("app")

    assert "sk_x" == SecretKeyAuth(key).bearer(0.0)
    assert AppTokenAuth("app", "sk_x").bearer(0.0) == AppTokenAuth(app_id, key).bearer(0.0)
    assert Tokens("app", "sk_x").signature("a") == Tokens(app_id, key).signature("a")
    assert AsyncTalkJS(app_id, key).tokens.signature("a") == Tokens("app", "sk_x").signature("a")


@pytest.mark.parametrize("key", WRONG_KEYS, ids=ascii)
@pytest.mark.parametrize(
    "make",
    [
        SecretKeyAuth,
        lambda key: AppTokenAuth("app", key),
        lambda key: Tokens("app", key),
        lambda key: AsyncTalkJS("app", key),
        Webhooks,
        lambda key: Webhooks(["sk_good", key]),
    ],
    ids=["SecretKeyAuth", "AppTokenAuth", "Tokens", "AsyncTalkJS", "Webhooks", "two keys"],
)
def test_what_cannot_be_a_key_is_refused_wherever_one_is_given(
    make: Callable[[Any], object], key: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(key)

    assert "secret_key" == caught.value.argument


@pytest.mark.parametrize("app_id", [*WRONG_KEYS, ".", ".."], ids=ascii)
@pytest.mark.parametrize(
    "make",
    [
        lambda app_id: AppTokenAuth(app_id, "sk_x"),
        lambda app_id: Tokens(app_id, "sk_x"),
        lambda app_id: AsyncTalkJS(app_id, "sk_x"),
    ],
    ids=["AppTokenAuth", "Tokens", "AsyncTalkJS"],
)
def test_what_cannot_be_an_app_id_is_refused_wherever_one_is_given(
    make: Callable[[Any], object], app_id: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(app_id)

    assert "app_id" == caught.value.argument
