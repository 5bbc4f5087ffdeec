"""Users: they have no order, and 100 fit into a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from talkjs_async._core.wire import UNSET
from talkjs_async.bulk._engine.job_context import JobContext
from talkjs_async.bulk._engine.record_ids import as_id, in_one_mapping, take_id
from talkjs_async.bulk._engine.record_type import RecordType
from talkjs_async.bulk._engine.source_records import BadRecord, Record, make_record
from talkjs_async.errors import ConfigurationError
from talkjs_async.models._field_names import FieldNames
from talkjs_async.models.users import User, UserInput
from talkjs_async.resources.users import MOST_USERS_PER_PUT, put_users


class UserRecordType(RecordType[dict[str, Any]]):
    """What is special about users: they have no order, and 100 fit into a request."""

    kind = "upsert_users"
    per_request = MOST_USERS_PER_PUT
    # A request of a hundred users is cheap alone, and ten of them in one are large.
    batchable = False
    window = 10 * MOST_USERS_PER_PUT

    def read(self, thing: object, number: int) -> Record[dict[str, Any]] | BadRecord:
        """Make a record of a user."""
        thing = in_one_mapping(thing)
        if isinstance(thing, Mapping):
            fields = USER_FIELDS.of(thing)
            user_id, user = take_id(fields), UserInput(**fields)
        elif isinstance(thing, User):
            user_id, user = thing.id, _input_of(thing)
        elif isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[1], UserInput):
            user_id, user = as_id(thing[0]), thing[1]
        else:
            raise ConfigurationError(
                "source", f"holds a {type(thing).__name__} where a user should be."
            )
        wire = user.to_wire()
        return make_record(user_id, number, wire, wire)

    async def send(
        self, context: JobContext, records: Sequence[Record[dict[str, Any]]]
    ) -> Sequence[str | None]:
        """Store up to 100 users."""
        await context.write(put_users({record.id: record.value for record in records}))
        return [None] * len(records)


USER_FIELDS = FieldNames(UserInput, "id")


def _input_of(user: User) -> UserInput:
    """Keep what a user has; what it has not stays as it is where it goes to."""
    return UserInput(
        name=user.name,
        email=user.email or UNSET,
        phone=user.phone or UNSET,
        photo_url=_given(user.photo_url),
        welcome_message=_given(user.welcome_message),
        locale=_given(user.locale),
        # What TalkJS answers for users without a role (documented sample).
        role=UNSET if user.role == "default" else _given(user.role),
        availability_text=_given(user.availability_text),
        custom=user.custom or UNSET,
    )


def _given(value: str | None) -> Any:
    return UNSET if value is None else value
