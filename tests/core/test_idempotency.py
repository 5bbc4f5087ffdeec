"""Idempotency keys of messages."""

from __future__ import annotations

import re

from talkjs_async._core.idempotency import new_idempotency_key


def test_idempotency_keys_are_long_and_never_the_same() -> None:
    keys = {new_idempotency_key() for _ in range(1000)}

    assert 1000 == len(keys)
    assert all(re.fullmatch(r"[-0-9A-Z_a-z]{20,}", key) for key in keys)
