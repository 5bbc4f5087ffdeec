"""Tokens are really verified. They are made here by PyJWT, and by hand where it refuses to."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator import Emulator, Switches
from talkjs_async.emulator._auth import authorize
from talkjs_async.emulator._problems import Problem

pytestmark = pytest.mark.anyio

KEY = "sk_test_0123456789abcdefghijklmnopqrstuvwxyz"
NOW = 1_800_000_000.0


def check(
    authorization: str | None, switches: Switches | None = None, *, users: bool = False
) -> None:
    authorize(
        None if authorization is None else authorization.encode("latin-1"),
        app_id="app1",
        secret_keys=["sk_test_another_key_of_the_same_app_1234567", KEY],
        switches=switches or Switches(),
        now=NOW,
        user_tokens=users,
    )


def token(key: str = KEY, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"tokenType": "app", "iss": "app1", "exp": NOW + 30, **changes}
    claims = {name: value for name, value in claims.items() if value is not ...}
    return "Bearer " + jwt.encode(claims, key, algorithm="HS256", headers=headers)


def handmade(header: object, claims: object, key: str = KEY) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header)}.{part(claims)}"
    signature = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"Bearer {signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


GOOD_CLAIMS = {"tokenType": "app", "iss": "app1", "exp": NOW + 30}


def test_an_app_token_is_accepted() -> None:
    check(token())
    check(token(iat=NOW, nbf=NOW, jti="1"))
    check(handmade({"alg": "HS256"}, GOOD_CLAIMS))


def test_the_secret_key_itself_is_accepted() -> None:
    check(f"Bearer {KEY}")
    check(f"bearer {KEY}")


def test_every_key_of_the_app_is_good() -> None:
    check(token("sk_test_another_key_of_the_same_app_1234567"))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Bearer {KEY}x",
        "Bearer sk_test_other",
        "Bearer a.b",
        "Bearer ..",
        "Bearer a.b.c.d",
        "Bearer é.é.é",
        token(KEY + "x"),
        token(exp=NOW),
        token(exp=NOW - 1),
        token(exp=...),
        token(nbf=NOW + 1),
        token(iss="app2"),
        token(iss=...),
        token(tokenType="user"),
        token(tokenType="admin"),
        token(tokenType=...),
        handmade({"alg": "none"}, GOOD_CLAIMS),
        handmade({"alg": "HS512"}, GOOD_CLAIMS),
        handmade({}, GOOD_CLAIMS),
        handmade(["HS256"], GOOD_CLAIMS),
        handmade({"alg": "HS256"}, [GOOD_CLAIMS]),
        handmade({"alg": "HS256"}, {**GOOD_CLAIMS, "exp": "soon"}),
        handmade({"alg": "HS256"}, {**GOOD_CLAIMS, "exp": True}),
        handmade({"alg": "HS256"}, {**GOOD_CLAIMS, "nbf": "now"}),
        handmade({"alg": "HS256"}, {**GOOD_CLAIMS, "tokenType": ["app"]}),
    ],
)
def test_anything_else_is_a_401(authorization: str | None) -> None:
    with pytest.raises(Problem) as caught:
        check(authorization)

    assert caught.value.status == 401
    assert KEY not in str(caught.value.body)


def test_an_unsigned_token_is_refused() -> None:
    unsigned = jwt.encode(GOOD_CLAIMS, key="", algorithm="none")

    with pytest.raises(Problem):
        check(f"Bearer {unsigned}")


def test_padding_and_the_plain_base64_alphabet_are_refused() -> None:
    good = handmade({"alg": "HS256"}, GOOD_CLAIMS)

    for spoiled in (good + "=", good + "==", good.replace("-", "+").replace("_", "/") + "/"):
        with pytest.raises(Problem):
            check(spoiled)


@given(position=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(position: int, bit: int) -> None:
    good = bytearray(handmade({"alg": "HS256"}, GOOD_CLAIMS).encode())
    position = 7 + position % (len(good) - 7)
    good[position] ^= 1 << bit
    spoiled = good.decode("latin-1")

    # The last character of the signature has bits that mean nothing.
    if position != len(good) - 1:
        with pytest.raises(Problem):
            check(spoiled)


def test_which_token_types_are_good_is_a_setting() -> None:
    check(token(tokenType="admin"), Switches(admin_tokens="accept"))
    check(token(exp=...), Switches(exp_claim="optional"))
    check(token(tokenType="user", sub="alice", exp=...), users=True)


@pytest.fixture
def signed(emulator: Emulator) -> Callable[..., Any]:
    async def send(seconds: float) -> httpx.Response:
        claims = {"tokenType": "app", "iss": "emulator", "exp": emulator.clock.time() + seconds}
        header = handmade({"alg": "HS256"}, claims, emulator.secret_key)
        async with httpx.AsyncClient(transport=emulator.transport) as client:
            await emulator.clock.sleep(10)
            return await client.get(
                "http://emulator/v1/emulator/users", headers={"authorization": header}
            )

    return send


async def test_tokens_expire_on_the_emulators_clock(signed: Callable[..., Any]) -> None:
    assert (await signed(10.5)).status_code == 200
    assert (await signed(10)).status_code == 401


@pytest.mark.parametrize("credential", [None, "Bearer nonsense", "Bearer sk_test_emulator"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/users"), ("PUT", "/users/a"), ("GET", "")])
async def test_an_app_that_does_not_exist_is_told_before_the_credential_is_looked_at(
    emulator: Emulator, method: str, path: str, credential: str | None
) -> None:
    headers = {} if credential is None else {"authorization": credential}
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        answer = await client.request(method, f"http://emulator/v1/other{path}", headers=headers)
        emulator.switches.unknown_app = "unauthorized"
        other = await client.request(method, f"http://emulator/v1/other{path}", headers=headers)

    assert (404, b"Not found.") == (answer.status_code, answer.content)
    assert "content-type" not in answer.headers
    assert (401, "UNAUTHORIZED") == (other.status_code, other.json()["errorCode"])


@pytest.mark.benchmark
def test_verifying_a_token_takes_not_much_longer_than_pyjwt_does() -> None:
    header = token()
    bare = header.removeprefix("Bearer ")

    def pyjwt() -> None:
        jwt.decode(bare, KEY, algorithms=["HS256"], options={"verify_exp": False})

    # In turns, and the best of each: other programs run beside.
    rounds = [(cpu_time(lambda: check(header)), cpu_time(pyjwt)) for _ in range(5)]
    ours, theirs = map(min, zip(*rounds, strict=True))

    assert ours < 2 * theirs


def cpu_time(function: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(500):
        function()
    return time.process_time() - began
