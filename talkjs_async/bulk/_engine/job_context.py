"""What the step of a running job has at hand: client, clock, journal, tally."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import attrs

from talkjs_async._core.call import Call
from talkjs_async._core.clock import Clock
from talkjs_async._core.endpoint import listing_of
from talkjs_async._core.pages import Records
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.bulk._engine.job_client import JobClient
from talkjs_async.bulk._engine.job_journal import JobJournal
from talkjs_async.bulk._engine.tally import Tally
from talkjs_async.client import AsyncTalkJS

T = TypeVar("T")
P = ParamSpec("P")


@attrs.define
class JobContext:
    """
    What a step has at hand.

    Attributes:
        on_stop: Set when nothing new is to be taken up.
        dry_run: Whether to send nothing, and to note what would be sent.
    """

    client: JobClient
    journal: JobJournal
    tally: Tally
    dry_run: bool = False
    on_stop: anyio.Event = attrs.field(factory=anyio.Event)

    @property
    def stopping(self) -> bool:
        """Whether to take up nothing new."""
        return self.on_stop.is_set()

    @property
    def talkjs(self) -> AsyncTalkJS:
        """The client, with the job's lane."""
        return self.client.talkjs

    @property
    def clock(self) -> Clock:
        """The client's."""
        return self.client.clock

    @property
    def retry(self) -> RetryPolicy:
        """The client's, for steps that decide themselves when to repeat."""
        return self.client.retry

    async def write(self, call: Call[T]) -> T:
        """Send a request that stores something; see `JobClient.write`."""
        return await self.client.write(call)

    async def read(self, call: Call[T]) -> T:
        """Send a GET, through either budget; see `JobClient.read`."""
        return await self.client.read(call)

    def all(
        self, method: Callable[P, Records[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Records[T]:
        """Return the records of a list method, fetched with `read`."""
        return Records(listing_of(method, *args, **kwargs), self.read)
