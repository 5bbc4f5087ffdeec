"""Signs JWTs. Knows claims as data, nothing of what they mean."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final, NoReturn

from talkjs_async.errors import ConfigurationError

if TYPE_CHECKING:
    from jwt.algorithms import HMACAlgorithm

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode

_PLAIN: Final = re.compile(r"\w+", re.ASCII)
"""Keys that are no PEM, SSH, DER or JWK document, so that PyJWT accepts them. TalkJS's are."""


class Signer:
    """
    Signs JWTs with one key, HS256.

    The key appears in no repr, pickle or error. The JOSE header is encoded once; PyJWT checks the
    key and computes the signature.
    """

    __slots__ = ("_algorithm", "_header", "_key")

    def __init__(self, secret_key: str) -> None:
        self._header = _segment({"alg": "HS256", "typ": "JWT"})
        self._algorithm: HMACAlgorithm | None = None
        self._key: Any = secret_key  # bytes, as soon as PyJWT has seen it
        plain = isinstance(secret_key, str) and _PLAIN.fullmatch(secret_key)
        del secret_key
        # PyJWT takes 15 ms to load, during which an event loop would stand still. A plain word is
        # never refused, so there it is loaded with the first token, or before by the engine.
        if not plain:
            self._load()

    def _load(self) -> HMACAlgorithm:
        from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415 - see above
        from jwt.exceptions import InvalidKeyError  # noqa: PLC0415

        algorithm = HMACAlgorithm(HMACAlgorithm.SHA256)
        refused = ""
        try:
            self._key = algorithm.prepare_key(self._key)
        except UnicodeEncodeError:
            refused = "it holds half of a surrogate pair."
        except (InvalidKeyError, TypeError) as error:
            refused = str(error)
        # Neither chained nor raised inside the handler: the original's frames hold the key.
        if refused:
            self._key = b""
            raise ConfigurationError("secret_key", f"cannot sign: {refused}")
        self._algorithm = algorithm
        return algorithm

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the compact JWT of *claims*."""
        algorithm = self._algorithm or self._load()
        message = self._header + b"." + _segment(claims)
        signature = urlsafe_b64encode(algorithm.sign(message, self._key)).rstrip(b"=")
        return (message + b"." + signature).decode()

    def __repr__(self) -> str:
        return "Signer(key=<hidden>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Signer holds a secret key and is not pickled: build it anew.")


def _segment(value: dict[str, Any]) -> bytes:
    return urlsafe_b64encode(_encode(value).encode()).rstrip(b"=")
