"""Which kind of waiter an event loop gets."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from talkjs_async.emulator import VirtualClock
from talkjs_async.limits._waiter_types import waiter_type_here

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_trio_that_another_thread_is_just_importing_is_not_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = ModuleType("trio")
    monkeypatch.setitem(sys.modules, "trio", half)

    assert "Asyncio" in waiter_type_here(system_clock=False).__name__
    await VirtualClock().sleep(1.0)
