"""Waiting on trio. Imported when a caller first waits there."""

from __future__ import annotations

from collections.abc import Generator
from threading import get_ident
from typing import Any

import trio
from trio.lowlevel import Abort, current_task, in_trio_run, reschedule, wait_task_rescheduled

from talkjs_async._core.call import Lane
from talkjs_async.limits._waiter import WAITING, PollingWaiter


class TrioWaiter(PollingWaiter):
    """A task of a trio run."""

    __slots__ = ("_task", "_thread", "_token")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.state = WAITING
        self._scope = None
        self._thread = get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._task: trio.lowlevel.Task | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        self._task = current_task()
        return wait_task_rescheduled(self._abort).__await__()  # noqa: ASYNC105

    def wake(self) -> bool:
        # In guest mode the host loop's callbacks run in the same thread, but not inside trio.
        if get_ident() == self._thread and in_trio_run():
            self._resume()
            return True
        try:
            self._token.run_sync_soon(self._resume)
        except trio.RunFinishedError:
            return False
        return True

    def is_lost(self) -> bool:
        return False  # no trio run ends before its tasks

    def _unpark(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task)

    def _abort(self, _: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED
