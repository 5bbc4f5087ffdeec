"""
IDs that look like TalkJS's own and come out the same for the same seed.

Message IDs are `msg_` and 22 characters in all samples of the documentation. They are opaque:
nothing may read a meaning or an order from them.
"""

import random
import string
from typing import Any

_ALPHABET = string.digits + string.ascii_letters
# Two characters at a time: half the divisions.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_BASE = len(_PAIRS)


class IdGenerator:
    """A source of IDs. Deterministic: the same seed gives the same IDs in the same order."""

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self.run: int = 0
        """How often there was an emulator with the same data before: other IDs each time."""
        self.restart()

    def restart(self) -> None:
        """Begin from the first ID again."""
        self._random: random.Random | None = None

    def _begun(self) -> random.Random:
        # Not before the first ID: seeding takes longer than all else in a new emulator.
        if self._random is None:
            run = f":{self.run}" if self.run else ""
            self._random = random.Random(f"ids:{self._seed}{run}")  # noqa: S311  # repeatable
        return self._random

    @property
    def state(self) -> object:
        """Where it stands: what comes next."""
        return self._begun().getstate()

    @state.setter
    def state(self, state: Any) -> None:
        self._begun().setstate(state)

    def make(self, prefix: str) -> str:
        """Return *prefix* and 22 characters out of digits and letters."""
        bits = (self._random or self._begun()).getrandbits(131)
        pairs = []
        for _ in range(11):
            bits, pair = divmod(bits, _BASE)
            pairs.append(_PAIRS[pair])
        return prefix + "".join(pairs)
