"""
What a forked process has to forget of its parent.

Knows methods, nothing of what they do.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Final

_methods: Final[set[weakref.WeakMethod[Callable[[], object]]]] = set()


def call_after_fork(method: Callable[[], object]) -> None:
    """Have a bound *method* called in every process that is forked, as long as its owner lives."""
    _methods.add(weakref.WeakMethod(method, _methods.discard))


def _call_all() -> None:
    for reference in list(_methods):
        method = reference()
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_call_all)
