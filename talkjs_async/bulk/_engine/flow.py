"""
Stores the records of a source: users, conversations, messages, imports.

Reads the source no faster than the budget lets records go, keeps the order inside a group, sends
groups side by side, and notes every answer. A `RecordType` holds what differs between the types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from talkjs_async._core.tasks import stray_cancellation_fails, uninterrupted
from talkjs_async._core.wire import is_text
from talkjs_async.bulk._engine.bisection import Bisection, reason_of
from talkjs_async.bulk._engine.job_client import Pace
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.job_journal import Ending, Sending
from talkjs_async.bulk._engine.journal_schema import RecordState
from talkjs_async.bulk._engine.record_type import RecordRefused, RecordType
from talkjs_async.bulk._engine.selection import Selection
from talkjs_async.bulk._engine.source_blocks import SourceBlocks
from talkjs_async.bulk._engine.source_pace import SourcePace
from talkjs_async.bulk._engine.source_records import Record, at_line
from talkjs_async.bulk._engine.tally import StageTally
from talkjs_async.bulk._engine.window import Window
from talkjs_async.errors import APIError, ConfigurationError

V = TypeVar("V")

_SIDE_BY_SIDE: Final = 500
"""
The most requests of a job that are sent or wait for the budget at a time.

More than the budgets ever have in flight: 20 requests, and 20 batches of ten when waiting calls
overflow into batches.
"""
_MOST_AT_A_TIME: Final = 5_000
"""The most records in these requests."""
_SOON: Final = 3.0
"""Seconds. A request that cannot leave by then does not queue yet, so that a job stops soon."""
_GRACE: Final = 5.0
"""Seconds that requests under way have left when a job stops: a 429 may hold them up."""


def stage_tally(context: JobContext, record_type: RecordType[Any], prefix: str) -> StageTally:
    """Return the counts of the records that `store` stores with this prefix."""
    return context.tally.stage(
        prefix, per_request=record_type.per_request, batchable=record_type.batchable
    )


async def store(
    context: JobContext,
    record_type: RecordType[V],
    blocks: SourceBlocks[object],
    *,
    prefix: str = "",
) -> None:
    """
    Store the records of a source, or note what would be stored in a dry run.

    Args:
        prefix: Put before every ID in the journal, for jobs that store several record types.
    """
    await _Flow(context, record_type, blocks, prefix=prefix).run()


class _Flow(Generic[V]):
    """One run through the source."""

    def __init__(
        self,
        context: JobContext,
        record_type: RecordType[V],
        blocks: SourceBlocks[object],
        *,
        prefix: str,
    ) -> None:
        self._record_type = record_type
        self._context = context
        self._tally = stage_tally(context, record_type, prefix)
        self._prefix = prefix
        self._blocks = blocks
        self._window: Window[V] = Window(
            per_request=record_type.per_request, most=record_type.window, in_order=record_type.once
        )
        self._selection = Selection(context, record_type, self._window, self._tally, prefix=prefix)
        self._sending = 0
        # Those of the requests that TalkJS has answered and the journal has not noted yet.
        self._answered = 0
        self._side_by_side = min(_SIDE_BY_SIDE, _MOST_AT_A_TIME // record_type.per_request)
        self._space = anyio.Event()
        self._source_pace = SourcePace(record_type.per_request)
        self._learner = anyio.Lock()
        self._timer_runs = False
        # Groups none of whose records can be stored, by the answer to a request, with the reason.
        self._sunk: dict[str, str] = {}
        self._tasks: TaskGroup | None = None
        self._timers: TaskGroup | None = None
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Store all, or stop at the first error that is not a record's fault."""
        self._context.client.more_will_come(self, True)
        async with anyio.create_task_group() as watch:
            self._timers = watch
            try:
                async with anyio.create_task_group() as self._tasks:
                    watch.start_soon(uninterrupted(self._end_when_stopped))
                    self._blocks.start(watch)
                    try:
                        await self._feed()
                    except Exception as error:  # noqa: BLE001 - raised below, out of the group
                        self._fail(error)
                    finally:
                        self._blocks.close()
            finally:
                # A timer may end later, when no request can be started any more.
                self._tasks = None
                self._context.client.more_will_come(self, False)
                watch.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _end_when_stopped(self) -> None:
        await self._context.on_stop.wait()
        await self._end()

    async def _end(self) -> None:
        """End soon: requests under way are waited for, so that none is sent again."""
        self._space.set()
        await self._context.clock.sleep(_GRACE)
        # Whatever becomes of these requests, the next pass finds out.
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    @property
    def _ending(self) -> bool:
        """Whether to take up nothing new."""
        return self._context.stopping or self._failure is not None

    async def _feed(self) -> None:
        while block := await self._next_block():
            await self._selection.select(block)
            if self._context.dry_run:
                await self._plan()
            self._report()
            self._start_requests()
            while self._window.full and not self._ending:
                self._space = anyio.Event()
                await self._space.wait()
            if self._ending:
                break
        if self._ending:
            return
        self._window.exhausted = True
        if self._context.dry_run:
            await self._plan()
        self._start_requests()

    async def _next_block(self) -> list[object]:
        self._source_pace.asked(self._now)
        try:
            block = await self._blocks.next()
        except Exception as error:  # noqa: BLE001 - raised by run(), when requests have ended
            self._failure = error
            if self._timers is not None:
                self._timers.start_soon(uninterrupted(self._end))
            return []
        self._source_pace.gave(len(block), self._now, self._pace.rate)
        return block

    @property
    def _now(self) -> float:
        return self._context.clock.monotonic()

    async def _plan(self) -> None:
        """Take out of the window what would be sent, request by request, and note it as planned."""
        while (records := self._window.take()) is not None:
            self._window.release(records[0].group)
            self._tally.plan(len(records))
            await self._note(
                [Ending(self._prefix + r.id, r.number, RecordState.PLANNED) for r in records]
            )

    def _start_requests(self) -> None:
        if self._context.dry_run:
            return
        tasks = self._tasks
        most = min(self._side_by_side, 1 + self._pace.within(_SOON) + self._answered)
        while tasks and self._sending < most and not self._ending:
            records = self._window.take()
            if records is None:
                records = self._partial_request()
            if records is None:
                break
            self._sending += 1
            tasks.start_soon(uninterrupted(self._carry), records)
        if self._window.exhausted and not len(self._window):
            self._context.client.more_will_come(self, False)
        if not self._window.full or self._ending:
            self._space.set()

    def _partial_request(self) -> list[Record[V]] | None:
        """
        Take less than a full request, where a slow source leaves tokens unused.

        It may use a token that no other group waits for, or one of the upper half of the burst. The
        other tokens are kept for full requests, since the budget counts requests, not records.
        """
        groups = self._window.waiting_groups
        pace = self._pace
        if not groups or not pace.rate:
            return None
        spare = pace.free + pace.in_flight + self._answered - self._sending
        needed = max(1.0, min(groups, pace.burst / 2))
        seconds = max(
            self._source_pace.seconds_until_slow(self._now, pace.rate),
            (needed - spare) / pace.rate,
        )
        if seconds <= 0:
            return self._window.take(partial=True)
        if not self._timer_runs and self._timers is not None:
            # An answer or a block of the source may not come before that.
            self._timer_runs = True
            self._timers.start_soon(uninterrupted(self._look_again), seconds)
        return None

    async def _look_again(self, seconds: float) -> None:
        # A little later, since rounding may make the estimate too short.
        await self._context.clock.sleep(seconds + 0.001)
        self._timer_runs = False
        self._start_requests()

    async def _carry(self, records: Sequence[Record[V]]) -> None:
        try:
            with stray_cancellation_fails("A request of the job"):
                await self._store(records)
        except Exception as error:  # noqa: BLE001 - raised by run(), out of the group
            self._fail(error)
        else:
            self._sending -= 1
            self._window.release(records[0].group)
            self._start_requests()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _store(self, records: Sequence[Record[V]]) -> None:
        group = records[0].group
        if any(record.sent_at is not None for record in records):
            records = await self._without_stored(records)
        try:
            while records:
                records = await self._store_next(records)
        finally:
            # What the source gives later is tried anew.
            self._sunk.pop(group, None)

    async def _store_next(self, records: Sequence[Record[V]]) -> Sequence[Record[V]]:
        if self._record_type.learning:
            # One request finds it out for all.
            async with self._learner:
                if self._record_type.learning:
                    return await self._store_some(records)
        return await self._store_some(records)

    async def _store_some(self, records: Sequence[Record[V]]) -> Sequence[Record[V]]:
        """Store as many as TalkJS takes together; return the others."""
        most = self._record_type.at_most or len(records)
        await self._store_together(records[:most])
        return records[most:]

    async def _store_together(self, records: Sequence[Record[V]]) -> None:
        refused = False

        async def refuse(record: Record[V], reason: str) -> None:
            nonlocal refused
            refused = True
            await self._refuse_all([record], reason)

        bisection: Bisection[Record[V]] = Bisection(
            send=self._send,
            refuse=refuse,
            is_refusal=self._record_type.is_refusal,
            named=_named,
            most=lambda: self._record_type.at_most,
            alone=lambda: self._record_type.learning,
        )
        at_once = await bisection.store(records)
        if not at_once and not refused and records[0].group not in self._sunk:
            self._record_type.refused_together(len(records))
        self._tally.per_request = self._record_type.at_most or self._record_type.per_request

    async def _without_stored(self, records: Sequence[Record[V]]) -> Sequence[Record[V]]:
        """Note the records that turn out to be stored, or may be; return the others."""
        doubtful = [record for record in records if record.sent_at is not None]
        found = await self._record_type.find(self._context, doubtful)
        stored = [record for record in doubtful if record.id in found.stored]
        await self._done(stored, [found.stored[record.id] for record in stored])
        await self._note(
            [
                Ending(self._prefix + r.id, r.number, RecordState.SENT, reason=found.unknown[r.id])
                for r in doubtful
                if r.id in found.unknown
            ]
        )
        return [r for r in records if r.id not in found.stored and r.id not in found.unknown]

    async def _send(self, records: Sequence[Record[V]]) -> None:
        group = records[0].group
        if group in self._sunk:
            await self._refuse_all(records, self._sunk[group])
            return
        if self._record_type.once or self._record_type.noted:
            await self._context.journal.sent(
                [Sending(self._prefix + r.id, r.number, r.digest, r.mark) for r in records],
                at=self._context.clock.time(),
                to=group,
            )
        results: Sequence[str | None]
        self._tally.sent(self._now)
        try:
            results = await self._record_type.send(self._context, records)
        except (RecordRefused, ConfigurationError) as error:
            if len(records) > 1:
                raise
            # A rule that is checked only where the request is made.
            await self._refuse_all(records, str(error))
            return
        except APIError as error:
            if len(records) == 1 and self._record_type.already_stored(error):
                results = [None]
            elif self._record_type.sinks_group(error):
                self._sunk[group] = reason_of(error)
                others = self._window.drop(group)
                await self._refuse_all([*records, *others], self._sunk[group])
                return
            else:
                raise
        self._tally.answered += len(records)
        self._tally.was_answered(len(records), self._now)
        self._answered += 1
        self._start_requests()
        try:
            await self._done(records, results)
        finally:
            self._tally.answered -= len(records)
            self._answered -= 1

    async def _done(self, records: Sequence[Record[V]], results: Sequence[str | None]) -> None:
        await self._note(
            [
                Ending(
                    self._prefix + record.id,
                    record.number,
                    RecordState.DONE,
                    record.digest,
                    # An ID that no request can carry is as good as none.
                    result if result is None or is_text(result) else None,
                    record.losses,
                )
                for record, result in zip(records, results, strict=True)
            ]
        )
        self._tally.done += len(records)
        self._tally.with_losses += sum(record.losses is not None for record in records)
        self._report()

    async def _refuse_all(self, records: Sequence[Record[V]], reason: str) -> None:
        await self._note(
            [
                Ending(
                    self._prefix + r.id,
                    r.number,
                    RecordState.FAILED,
                    r.digest,
                    reason=at_line(r.line, reason),
                )
                for r in records
            ]
        )
        self._tally.failed += len(records)
        self._report()

    async def _note(self, endings: Sequence[Ending]) -> None:
        await self._context.journal.note(endings)
        for ending in endings:
            self._selection.forget(ending.id)

    @property
    def _pace(self) -> Pace:
        return self._context.client.pace(batchable=self._record_type.batchable)

    def _report(self) -> None:
        self._tally.waiting = self._selection.waiting
        self._context.tally.changed()


def _named(error: APIError, records: Sequence[Record[V]]) -> dict[int, str]:
    """Return which records an answer names by ID, as indexes, with what it says of each."""
    named = {}
    for place, record in enumerate(records):
        reasons = error.reasons_by_key.get(record.id)
        if reasons is not None:
            named[place] = f"refused with {error.status}: {'; '.join(reasons) or 'no reason given'}"
    return named
