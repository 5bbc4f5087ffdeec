"""
What a forked process has to forget of its parent.

Knows methods, nothing of what they do.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, Final

_methods: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], object]]] = (
    weakref.WeakKeyDictionary()
)
"""What to call, for its owner: in this form it can go in any order when a program ends."""


def call_after_fork(method: Callable[[], object]) -> None:
    """Have a bound *method* called in every process that is forked, as long as its owner lives."""
    assert isinstance(method, MethodType)  # noqa: S101 - all callers are our own
    _methods[method.__self__] = method.__func__


def _call_all() -> None:
    for owner, method in list(_methods.items()):
        method(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_call_all)
