"""
The key that makes sending a message repeatable: how it is made, and for how long it holds.

The documentation names the key; how long it is remembered, a third party says (read 2026-11-22).
"""

from __future__ import annotations

import secrets
from typing import Final

KEY_LIFETIME: Final = 23 * 3600.0
"""
Seconds for which a repeat with the same idempotency key is safe.

TalkJS is said to remember keys for 24 hours (a third party's description); one hour is kept back.
"""


def new_idempotency_key() -> str:
    """
    Make a key that cannot be guessed: 24 characters from `-0-9A-Z_a-z`, 144 random bits.

    Keys of TalkJS's own SDK are 20 characters from the same alphabet (seen in code).
    """
    return secrets.token_urlsafe(18)
