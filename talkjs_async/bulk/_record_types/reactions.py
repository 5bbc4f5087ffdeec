"""Reactions in bulk, as a part of other jobs: each has a request of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record


@attrs.frozen
class CopiedReaction:
    """
    One person's emoji on a message that was copied.

    Attributes:
        name: What a report calls it.
        message_id: Of the copy. Empty in a dry run, which makes none.
    """

    name: str
    conversation_id: str
    message_id: str
    emoji: str
    user_id: str


def reaction_name(message_id: str, emoji: str, user_id: str | None) -> str:
    """What a report calls a reaction to a message of the source."""
    return json.dumps([message_id, emoji, user_id], ensure_ascii=False)


class ReactionRecordType(RecordType[CopiedReaction]):
    """What is special about reactions: each has a request of its own, and repeats do nothing."""

    kind = "reactions"
    per_request = 1
    window = 1_000

    def read(self, thing: object, number: int) -> Record[CopiedReaction] | BadRecord:
        """Make a record of a `CopiedReaction`."""
        assert isinstance(thing, CopiedReaction)  # noqa: S101 - the sources are our own
        return make_record(thing.name, number, thing, thing.message_id)

    async def send(
        self, context: JobContext, records: Sequence[Record[CopiedReaction]]
    ) -> Sequence[str | None]:
        """React in the person's name."""
        reaction = records[0].value
        await context.talkjs.reactions.add(
            reaction.conversation_id,
            message_id=reaction.message_id,
            emoji=reaction.emoji,
            user_id=reaction.user_id,
        )
        return [None]
