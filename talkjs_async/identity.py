"""
Identity for front ends: what a browser needs from your server to chat as one of your users.

Nothing here does I/O.

Source: TalkJS docs, Authentication (documented), unless said otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from talkjs_async._core.clock import SYSTEM_CLOCK, Clock, checked_clock
from talkjs_async._core.credentials import checked_app_id, checked_key
from talkjs_async._core.signer import Signer
from talkjs_async._core.wire import is_id
from talkjs_async._core.wrong_calls import missing_attribute
from talkjs_async.auth import TOKEN_LIFETIME
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._arguments import is_number

__all__ = ["Tokens", "one_on_one_id"]

SHORTEST_USER_TOKEN = 120.0
"""Seconds. TalkJS's SDK treats a token with less than that left as expired (seen in code)."""


class Tokens:
    """
    Makes tokens and signatures with the app's secret key.

    Args:
        app_id: Becomes the claim `iss`.
        secret_key: Never leaves this process.
        clock: Where the time comes from.

    Raises:
        ConfigurationError: The key cannot sign, or *clock* is none.

    The key appears in no repr, pickle or error.
    """

    __slots__ = ("_app_id", "_clock", "_mac", "_signer")

    def __init__(self, app_id: str, secret_key: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._app_id = checked_app_id(app_id)
        self._clock = checked_clock(clock)
        try:
            secret_key = checked_key(secret_key)
            self._signer = Signer(secret_key)
            # Prepared once; the key itself is not kept here.
            self._mac = hmac.new(secret_key.encode(), digestmod=hashlib.sha256)
        finally:
            # A traceback with local variables is a log too.
            del secret_key

    # Type checkers would take it for permission to call anything.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(self, name)

    def user(self, user_id: str, *, expires_in: float = 86_400.0) -> str:
        """
        Make a token that lets a front end chat as one user.

        Args:
            user_id: Who it will be.
            expires_in: Seconds that it lives. A day is the documentation's own figure; where the
                front end can fetch a new one, half an hour is enough.

        Raises:
            ConfigurationError: *user_id* is empty, or *expires_in* not above 120 seconds: TalkJS's
                SDK treats such a token as expired (seen in code).
        """
        _check_user(user_id)
        if not is_number(expires_in, low=0, high=float("inf")) or expires_in <= SHORTEST_USER_TOKEN:
            raise ConfigurationError("expires_in", "must be a finite number above 120 seconds.")
        return self._signer.sign(
            {
                "tokenType": "user",
                "iss": self._app_id,
                "sub": user_id,
                "exp": int(self._clock.time() + expires_in),
            }
        )

    def app(self, *, expires_in: float = TOKEN_LIFETIME) -> str:
        """
        Make a token for REST calls by hand, for example with curl. The client makes its own.

        It can read and write everything in the app, so it must not live long.

        Args:
            expires_in: Seconds that it lives.

        Raises:
            ConfigurationError: *expires_in* is not above 0.
        """
        if not is_number(expires_in, low=0, high=float("inf")) or expires_in == 0:
            raise ConfigurationError("expires_in", "must be a finite number of seconds above 0.")
        now = self._clock.time()
        return self._signer.sign(
            {
                "tokenType": "app",
                "iss": self._app_id,
                "iat": int(now),
                "exp": int(now + expires_in),
            }
        )

    def signature(self, user_id: str) -> str:
        """
        Make the identity signature of a user: the older way to prove who they are.

        It never expires, so prefer `user` tokens.

        Returns:
            Lowercase hex of HMAC-SHA256 over the user ID (seen in public programs).

        Raises:
            ConfigurationError: *user_id* is empty.
        """
        _check_user(user_id)
        mac = self._mac.copy()
        mac.update(user_id.encode())
        return mac.hexdigest()

    def __repr__(self) -> str:
        return f"Tokens({self._app_id!r}, <hidden>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Tokens holds a secret key and is not pickled: build it anew.")


def one_on_one_id(a: str, b: str) -> str:
    """
    Compute the ID of the conversation between two users, as TalkJS's SDKs do.

    Args:
        a, b: User IDs, in any order.

    Returns:
        20 hex digits: the beginning of the SHA-1 of both IDs, sorted, as JSON.

    Raises:
        ConfigurationError: An ID is not a non-empty text.

    Source: the documentation of `Talk.oneOnOneId`. That text beyond ASCII stays as it is in the
    JSON is inferred: `JSON.stringify` works like that.
    """
    for argument, user_id in (("a", a), ("b", b)):
        if not isinstance(user_id, str) or not user_id:
            raise ConfigurationError(argument, "must be a non-empty text (str).")
    # JavaScript compares UTF-16 code units: an emoji (D83D...) comes before U+FF5E.
    pair = sorted((a, b), key=lambda user_id: user_id.encode("utf-16-be", "surrogatepass"))
    text = json.dumps(pair, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha1(_stringified(text), usedforsecurity=False).hexdigest()[:20]


def _stringified(text: str) -> bytes:
    """UTF-8 as JavaScript writes it: two halves of a surrogate pair join, one alone is escaped."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", joined).encode()


def _check_user(user_id: str) -> None:
    if not is_id(user_id):
        raise ConfigurationError("user_id", "must be a non-empty text (str).")
