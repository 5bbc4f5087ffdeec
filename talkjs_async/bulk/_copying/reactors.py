"""Who has reacted to messages: raw records, read from the lists that each emoji has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import anyio

from talkjs_async._core.tasks import stray_cancellation_fails, uninterrupted
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.raw_lists import RawRecord
from talkjs_async.errors import (
    BadRequest,
    ConfigurationError,
    DecodeError,
    NotFound,
    UnknownEndpoint,
)
from talkjs_async.models._parts import read_reactions
from talkjs_async.models.reactions import Reaction

_AT_A_TIME: Final = 400
"""Lists that wait for the budget at a time: twice what batches ever have in flight."""


class Reactors:
    """Reads who has reacted to the messages of an app."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._slots = anyio.Semaphore(_AT_A_TIME)

    async def of(self, messages: Sequence[RawRecord]) -> list[RawRecord]:
        """
        Return the reactions to some messages, a record for each person and emoji.

        Where not all can be told, a record says how many are missing, without a person.
        """
        lists = [
            (message, reaction)
            for message in messages
            for reaction in read_reactions(message.get("reactions")).values()
            if reaction.count != 0
        ]
        found: list[list[RawRecord]] = [[] for _ in lists]
        failures: list[Exception] = []

        async def read(place: int, message: RawRecord, reaction: Reaction) -> None:
            try:
                with stray_cancellation_fails("A request of the job"):
                    async with self._slots:
                        found[place] = await self._people(message, reaction)
            except Exception as error:  # noqa: BLE001 - raised below, out of the group
                failures.append(error)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for place, one in enumerate(lists):
                tasks.start_soon(uninterrupted(read), place, *one)
        if failures:
            raise failures[0]
        return [record for records in found for record in records]

    async def _people(self, message: RawRecord, reaction: Reaction) -> list[RawRecord]:
        key = {
            "conversationId": message.get("conversationId"),
            "messageId": message["id"],
            "emoji": reaction.emoji,
        }
        people = list(reaction.user_ids)
        if not people or (reaction.count is not None and len(people) < reaction.count):
            listed = await self._listed(key, reaction)
            if listed is None:
                return []
            people = listed
        missing = (reaction.count or len(people) or 1) - len(people)
        records: list[dict[str, Any]] = [{**key, "userId": user_id} for user_id in people]
        return [*records, {**key, "userId": None, "missing": missing}] if missing > 0 else records

    async def _listed(self, key: RawRecord, reaction: Reaction) -> list[str] | None:
        """List the people, the first to react first. None: the message is gone."""
        found: list[str] = []
        try:
            method = self._context.talkjs.reactions.list
            chat, id_ = key["conversationId"], key["messageId"]
            async for one in self._context.all(method, chat, message_id=id_, emoji=reaction.emoji):
                # One by one: those before a page that cannot be read are found.
                found.append(one.user_id)  # noqa: PERF401
        except NotFound:
            return None
        except (BadRequest, ConfigurationError, DecodeError, UnknownEndpoint):
            # This list cannot be read, or not to its end: what is missing is said of it.
            pass
        return found[::-1]
