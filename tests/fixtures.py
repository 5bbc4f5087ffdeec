"""Types of the fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from talkjs_async import AsyncTalkJS

MakeTalkJS: TypeAlias = Callable[..., AsyncTalkJS]
"""Builds a client of the test's emulator, with options of the test's own."""

EngineName: TypeAlias = Literal["httpx", "httpx2"]
