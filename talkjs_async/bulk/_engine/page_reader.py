"""
Reads pages as fast as both budgets of the app allow: that of ordinary requests and that of batches.

Knows lists, and nothing of what is in them. Pages come as TalkJS wrote them, so that a field that
this library does not know is not lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import anyio
import attrs
from anyio.abc import TaskGroup

from talkjs_async._core.call import Call
from talkjs_async._core.endpoint import call_of
from talkjs_async._core.pages import Records
from talkjs_async.batch import MOST_OPERATIONS
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.errors import DecodeError, TalkJSError

_ORDINARY: Final = 20
"""Pages that are fetched, or wait for the budget, with a request of their own."""
_BATCHES: Final = 2
"""Batches of ten pages that are fetched or wait for theirs."""

AHEAD: Final = 100
"""
Pages to ask for at a time. A batch may wait two seconds for its budget, and the pages behind it,
which come at nine per second, must not wait for it.
"""


@attrs.frozen(kw_only=True)
class RawPage:
    """
    One page of a list.

    Attributes:
        records: JSON objects, in the server's order, each with an "id".
        more: Whether there may be further ones: the page was full.
    """

    records: list[dict[str, Any]]
    more: bool


@attrs.define(eq=False)
class PageFetch:
    """A page that was asked for."""

    call: Call[RawPage]
    _ended: anyio.Event = attrs.field(factory=anyio.Event)
    _page: RawPage | None = None
    _failure: TalkJSError | None = None

    @property
    def ended(self) -> bool:
        """Whether `result` returns at once."""
        return self._ended.is_set()

    def end(self, result: RawPage | TalkJSError) -> None:
        """Give it what it waits for."""
        if isinstance(result, RawPage):
            self._page = result
        else:
            self._failure = result
        self._ended.set()

    async def result(self) -> RawPage:
        """Wait for the page."""
        await self._ended.wait()
        if self._page is None:
            raise self._failure or RuntimeError("a fetch ended with nothing")
        return self._page


class PageReader:
    """
    Fetches pages in the background of a task group.

    Pages that were asked for wait in a queue. An ordinary worker takes one of them when the
    ordinary budget has a token, so that it leaves the others to the batches while it has none. A
    batch worker takes ten at a time and never less, since the budget counts batches.
    """

    def __init__(self, context: JobContext, tasks: TaskGroup) -> None:
        """Start the workers."""
        self._context = context
        self._talkjs = context.talkjs
        self._queue: deque[PageFetch] = deque()
        # Workers that wait for pages to be asked for; ordinary ones, and batches.
        self._idle: deque[anyio.Event] = deque()
        self._idle_batches: deque[anyio.Event] = deque()
        self._next_token = anyio.Lock()
        for _ in range(_ORDINARY):
            tasks.start_soon(self._fetch_ordinary)
        for _ in range(_BATCHES):
            tasks.start_soon(self._fetch_batches)

    def fetch(self, method: Callable[..., Records[Any]], *ids: str, **arguments: Any) -> PageFetch:
        """
        Ask for the first page of a list.

        Args:
            method: A list method of the client, such as `talkjs.users.list`.
            ids, arguments: Its arguments, among them `starting_after`.
        """
        first: Call[Any] = call_of(method, *ids, **arguments)
        fetch = PageFetch(attrs.evolve(first, decode=_raw(int(first.query["limit"]))))
        self._queue.append(fetch)
        if self._idle:
            self._idle.popleft().set()
        elif self._idle_batches and len(self._queue) >= MOST_OPERATIONS:
            self._idle_batches.popleft().set()
        return fetch

    async def page(self, method: Callable[..., Records[Any]], **arguments: Any) -> RawPage:
        """Fetch the first page of a list."""
        return await self.fetch(method, **arguments).result()

    async def _fetch_ordinary(self) -> None:
        while True:
            async with self._next_token:
                fetch = await self._when_there_is_a_token()
            try:
                call = fetch.call
                data = await self._talkjs.request("GET", call.path, params=call.query)
                fetch.end(call.result(data))
            except TalkJSError as error:
                fetch.end(error)
            self._context.tally.requests += 1

    async def _when_there_is_a_token(self) -> PageFetch:
        while True:
            wait = self._context.budget_wait()
            if not self._queue:
                await _news(self._idle)
            elif wait > 0:
                # An estimate may fall short by less than a float can tell.
                await self._context.clock.sleep(max(wait, 0.001))
            else:
                return self._queue.popleft()

    async def _fetch_batches(self) -> None:
        while True:
            while len(self._queue) < MOST_OPERATIONS:
                await _news(self._idle_batches)
            fetches = [self._queue.popleft() for _ in range(MOST_OPERATIONS)]
            calls = [fetch.call for fetch in fetches]
            results = await self._talkjs.batch(*calls, return_exceptions=True)
            for fetch, result in zip(fetches, results, strict=True):
                fetch.end(result)
            self._context.tally.requests += 1


async def _news(idle: deque[anyio.Event]) -> None:
    """Wait for a page to be asked for."""
    woken = anyio.Event()
    idle.append(woken)
    await woken.wait()


def _raw(limit: int) -> Callable[[Any], RawPage]:
    def decode(data: Any) -> RawPage:
        records = data.get("data") if isinstance(data, dict) else None
        if not isinstance(records, list):
            raise DecodeError(json_path="$.data", expected="a list", got=type(records).__name__)
        for place, record in enumerate(records):
            if not isinstance(record, dict) or not isinstance(record.get("id"), str):
                raise DecodeError(
                    json_path=f"$.data[{place}].id", expected="an ID", got="something else"
                )
        return RawPage(records=records, more=len(records) >= limit)

    return decode
