"""
A conversation whose messages are read while those before it are still being written.

Budgets are used up only if many requests wait for them, and a list is read a page at a time: so
many conversations are read at a time, each as far as there is room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import anyio
import attrs

from talkjs_async._core.tasks import stray_cancellation_fails
from talkjs_async._core.walk import Walk
from talkjs_async.bulk._engine.raw_lists import RawRecord

RecordsByFile: TypeAlias = Mapping[str, Sequence[RawRecord]]
"""Records by the names of the files that they belong into."""


@attrs.frozen
class PageOfMessages:
    """
    Messages of a conversation, with what belongs to them.

    Attributes:
        place: Where another walk goes on behind them.
        is_last: Whether there are no more.
    """

    records: RecordsByFile
    place: Mapping[str, Any]
    is_last: bool

    @property
    def size(self) -> int:
        """How many messages there are."""
        return len(self.records["messages"])


class OpenConversation:
    """
    A conversation whose messages are being read.

    Attributes:
        begin, end: Where its line is in the list of conversations.
        asks: Whether a page of it is asked for and not there.
    """

    def __init__(self, begin: int, end: int, walk: Walk[RawRecord]) -> None:
        self.begin = begin
        self.end = end
        self.asks: bool = True
        self._walk = walk
        self._pages: deque[PageOfMessages] = deque()
        self._failure: Exception | None = None
        self._news = anyio.Event()

    async def read(
        self,
        page: Callable[[Walk[RawRecord]], Awaitable[RecordsByFile]],
        room: Callable[[OpenConversation], Awaitable[None]],
        on_page: Callable[[PageOfMessages | None], None],
    ) -> None:
        """
        Read it to its end, a page at a time.

        Args:
            page: Reads the next messages of a walk.
            room: Waits until there is room for more of this conversation.
            on_page: Is told of each page, and of none when one cannot be read.
        """
        while not self._walk.done:
            read: PageOfMessages | None = None
            try:
                if self._pages:
                    self.asks = False
                    await room(self)
                    self.asks = True
                with stray_cancellation_fails("A request of the job"):
                    records = await page(self._walk)
                read = PageOfMessages(records, self._walk.place, self._walk.done)
                self._pages.append(read)
            except Exception as error:  # noqa: BLE001 - raised by next_page()
                self._failure = error
            self.asks = False
            self._news.set()
            on_page(read)
            if read is None:
                return

    @property
    def is_there(self) -> bool:
        """Whether `next_page` need not wait."""
        return bool(self._pages) or self._failure is not None

    async def next_page(self) -> PageOfMessages:
        """Return the next page; there is one more after each that is not the last."""
        while not self._pages:
            if self._failure is not None:
                raise self._failure
            self._news = anyio.Event()
            await self._news.wait()
        return self._pages.popleft()
