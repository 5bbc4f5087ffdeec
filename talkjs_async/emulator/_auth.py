"""
Authorization: bearer tokens, really verified.

Written by hand after RFC 7515 and RFC 7519, on purpose without the library that signs on the
other side, so that a mistake in one of them shows.

Documented: `Authorization: Bearer <token>`, where the token is a JWT signed with HS256 by the
app's secret key, with the claims `tokenType: "app"`, `iss: <APP_ID>` and `exp`; the secret key
itself is still accepted. Tokens are meant for a single use; that is not enforced.
"""

import binascii
import hmac
import json
from collections.abc import Iterable
from typing import Any

from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator.switches import Switches

_PADDING = (b"", b"===", b"==", b"=")


def authorize(
    authorization: bytes | None,
    *,
    app_id: str,
    secret_keys: Iterable[str],
    switches: Switches,
    now: float,
    user_tokens: bool = False,
) -> None:
    """
    Check an `Authorization` header; raise the 401 when it is not good enough.

    Args:
        authorization: The header, None when it is missing.
        app_id: Whose resources are asked for.
        secret_keys: The app's keys; every one of them is good.
        switches: Which token types are accepted.
        now: Unix time in seconds.
        user_tokens: Accept a user's token too (only `POST /files` does, seen in code).
    """
    if authorization is None:
        raise _unauthorized("The Authorization header is missing.")
    scheme, _, credentials = authorization.partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() != b"bearer" or not credentials:
        raise _unauthorized("The Authorization header must be 'Bearer <token>'.")
    keys = [key.encode() for key in secret_keys]
    if any(hmac.compare_digest(credentials, key) for key in keys):
        return
    claims = _verified_claims(credentials, keys)
    _check_claims(claims, app_id=app_id, switches=switches, now=now, user_tokens=user_tokens)


def _verified_claims(token: bytes, keys: Iterable[bytes]) -> dict[str, Any]:
    parts = token.split(b".")
    if len(parts) != 3:
        raise _unauthorized("The bearer is neither a secret key of this app nor a JWT.")
    header = _json_object(parts[0], "header")
    if header.get("alg") != "HS256":
        raise _unauthorized("The token's algorithm must be HS256.")
    signature = _base64url(parts[2], "signature")
    signed = token[: -len(parts[2]) - 1]
    for key in keys:
        if hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature):
            return _json_object(parts[1], "claims")
    raise _unauthorized("The token's signature is wrong.")


def _check_claims(
    claims: dict[str, Any], *, app_id: str, switches: Switches, now: float, user_tokens: bool
) -> None:
    kind = claims.get("tokenType")
    accepted = {"app"}
    if switches.admin_tokens == "accept":
        accepted.add("admin")
    if user_tokens:
        accepted.add("user")
    if not isinstance(kind, str) or kind not in accepted:
        raise _unauthorized("The token's tokenType must be 'app'.")
    if claims.get("iss") != app_id:
        raise _unauthorized("The token's iss is not this app.")
    expires = claims.get("exp")
    if expires is None:
        # A user's token may live for ever (the documentation's own sample does).
        if switches.exp_claim == "required" and kind != "user":
            raise _unauthorized("The token has no exp.")
    elif not _is_number(expires):
        raise _unauthorized("The token's exp must be a number of seconds.")
    elif now >= expires:
        raise _unauthorized("The token has expired.")
    not_before = claims.get("nbf")
    if not_before is not None and (not _is_number(not_before) or now < not_before):
        raise _unauthorized("The token's nbf is in the future.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_object(part: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(_base64url(part, name))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _unauthorized(f"The token's {name} is not a JSON object.")
    return value


def _base64url(part: bytes, name: str) -> bytes:
    # RFC 7515 section 2: without padding, with - and _ for + and /.
    standard = part.translate(_FROM_URL_ALPHABET)
    try:
        return binascii.a2b_base64(standard + _PADDING[len(part) % 4], strict_mode=True)
    except ValueError as error:
        raise _unauthorized(f"The token's {name} is not base64url.") from error


# The standard alphabet's own two characters become one that no decoder accepts.
_FROM_URL_ALPHABET = bytes.maketrans(b"-_+/=", b"+/!!!")


def _unauthorized(reason: str) -> Problem:
    return Problem(401, "UNAUTHORIZED", [reason])
