"""
Who we are: the bearer token of each attempt.

Source of the token shapes: TalkJS documentation, REST API introduction and Authentication (read
2026-11-22).
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol

from talkjs_async._core.credentials import checked_app_id, checked_key
from talkjs_async._core.signer import Signer
from talkjs_async._core.wire import id_problem, is_real
from talkjs_async.errors import ConfigurationError, shown

__all__ = ["AppTokenAuth", "Auth", "SecretKeyAuth"]

TOKEN_LIFETIME: Final = 30.0
"""Seconds that an app token lives: the documentation's own figure."""


class Auth(Protocol):
    """What the client needs to sign a request. Any object with this method will do."""

    def bearer(self, now: float) -> str:
        """
        Return the credential that follows `Authorization: Bearer`.

        Called once per attempt, right before it leaves.

        Args:
            now: Unix time in seconds.
        """
        ...


class AppTokenAuth:
    """
    A fresh app token for every attempt; the documented way and the default.

    Args:
        app_id: Becomes the claim `iss`.
        secret_key: Signs the token; never leaves this process.
        token_type: Claim `tokenType`. "app" is what all official pages say; one public program of
            2026 signs with "admin".
        lifetime: Seconds until `exp`.

    Raises:
        ConfigurationError: The key cannot sign (empty, or a PEM or JWK document by mistake).
    """

    __slots__ = ("_app_id", "_lifetime", "_signer", "_token_type")

    def __init__(
        self,
        app_id: str,
        secret_key: str,
        *,
        token_type: str = "app",  # noqa: S107 - a claim, not a password
        lifetime: float = TOKEN_LIFETIME,
    ) -> None:
        try:
            self._signer = Signer(checked_key(secret_key))
        finally:
            # A traceback with local variables is a log too.
            del secret_key
        problem = id_problem(token_type)
        if problem is not None:
            raise ConfigurationError("token_type", problem)
        if not is_real(lifetime) or lifetime <= 0:
            raise ConfigurationError("lifetime", f"must be above 0 seconds, not {shown(lifetime)}.")
        self._app_id = checked_app_id(app_id)
        self._token_type = token_type
        self._lifetime = lifetime

    def bearer(self, now: float) -> str:
        """Mint a token that lives from *now* on."""
        return self._signer.sign(
            {
                "tokenType": self._token_type,
                "iss": self._app_id,
                "iat": int(now),
                "exp": int(now + self._lifetime),
            }
        )

    def __repr__(self) -> str:
        return f"AppTokenAuth({self._app_id!r}, <hidden>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("AppTokenAuth holds a secret key and is not pickled: build it anew.")


class SecretKeyAuth:
    """
    The secret key itself as bearer: TalkJS's legacy way, still accepted.

    One request that is seen is enough to mint tokens for ever, so prefer `AppTokenAuth`.
    """

    __slots__ = ("_secret_key",)

    def __init__(self, secret_key: str) -> None:
        try:
            key = checked_key(secret_key)
        finally:
            # A traceback with local variables is a log too.
            del secret_key
        if not (key.isascii() and key.isprintable()):
            del key
            raise ConfigurationError("secret_key", "must be printable ASCII, to fit into a header.")
        self._secret_key = key

    def bearer(self, now: float) -> str:  # noqa: ARG002 - the protocol's argument
        """Return the key."""
        return self._secret_key

    def __repr__(self) -> str:
        return "SecretKeyAuth(<hidden>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SecretKeyAuth holds a secret key and is not pickled: build it anew.")
