"""
An emulator's records as rows of a database, and back.

A row is the record's kind, where it belongs and its ID, and its fields as JSON; the content of a
file is beside them. What follows from other records, such as the order of a list, is not in there.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from talkjs_async.emulator._stored_records import (
    StoredApp,
    StoredConversation,
    StoredMessage,
    StoredParticipant,
    StoredUser,
)
from talkjs_async.emulator._world import World
from talkjs_async.emulator.files import File

_NAMES = {
    record_type: tuple(field.name for field in attrs.fields(record_type))
    for record_type in (StoredUser, StoredConversation, StoredMessage, StoredParticipant, File)
}
# What is derived from other records, or kept in records of its own.
_LEFT_OUT = {
    StoredUser: {"conversation_ids"},
    StoredConversation: {"messages", "message_by_id", "_alone"},
}
_IN_APP = ("secret_keys", "custom", "default_locale", "themes", "is_anonymous")

# Kind, app, parent and ID of a record; the IDs as JSON, since SQLite takes no half surrogates.
Key = tuple[str, str, str, str]
Row = tuple[str, str, str, str, str, bytes | None]


def keys_of(world: World) -> Iterable[Key]:
    """Return the keys of all records of an emulator."""
    for app_id, app in world.apps.items():
        of = json.dumps(app_id)
        yield "app", "", "", of
        yield from (("user", of, "", json.dumps(one)) for one in app.users)
        yield from (("file", of, "", json.dumps(one)) for one in app.files)
        yield from (
            ("key", of, json.dumps(scope), json.dumps(key)) for scope, key in app.idempotency
        )
        for id_, conversation in app.conversations.items():
            yield "conversation", of, "", json.dumps(id_)
            for message in conversation.message_by_id:
                yield "message", of, json.dumps(id_), json.dumps(message)


def row_of(world: World, key: Key) -> tuple[str, bytes | None] | None:
    """Return what is to be kept of a record. None: it is gone."""
    kind, of, parent, id_ = key
    if kind == "meta":
        value: Any = world.ids.run + 1 if id_ == "starts" else world.clock.time()
        return json.dumps(value), None
    if kind == "app":
        return _app_row(world, json.loads(id_))
    app = world.apps.get(json.loads(of))
    if app is None:
        return None
    record: Any = None
    if kind == "user":
        record = app.users.get(json.loads(id_))
    elif kind == "conversation":
        record = app.conversations.get(json.loads(id_))
    elif kind == "message":
        conversation = app.conversations.get(json.loads(parent))
        record = conversation and conversation.message_by_id.get(json.loads(id_))
    elif kind == "key":
        sent = app.idempotency.get((json.loads(parent), json.loads(id_)))
        return None if sent is None else (json.dumps(sent), None)
    elif kind == "file":
        file = app.files.get(json.loads(id_))
        return None if file is None else (_written(file, {"content"}), file.content)
    return None if record is None else (_written(record, _LEFT_OUT.get(type(record), ())), None)


def _app_row(world: World, app_id: str) -> tuple[str, None] | None:
    app = world.apps.get(app_id)
    if app is None:
        return None
    kept: dict[str, Any] = {name: getattr(app, name) for name in _IN_APP}
    kept["tokens"] = [token for token, one in world.anonymous_accounts.items() if one is app]
    return json.dumps(kept), None


def _written(record: Any, left_out: Collection[str] = ()) -> str:
    """Return a record as JSON, its parts as `_part_of_record` has them."""
    kept = {name: getattr(record, name) for name in _NAMES[type(record)] if name not in left_out}
    return json.dumps(kept, default=_part_of_record)


def _part_of_record(value: Any) -> Any:
    """Return what JSON does not know: a file in a message by its token, a participant's fields."""
    if isinstance(value, File):
        return value.token
    return {name: getattr(value, name) for name in _NAMES[type(value)]}


class Restoring:
    """Rows of a file on their way into an emulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last_number = 0

    def restore(self, rows: Iterable[Row]) -> bool:
        """Put all rows into the emulator; tell whether there were any but of ours."""
        world, meta = self._world, dict[str, Any]()
        apps = 0
        for kind, of, parent, id_, data, content in rows:
            fields = json.loads(data)
            if kind == "meta":
                meta[id_] = fields
            elif kind == "app":
                self._app(json.loads(id_), fields)
                apps += 1
            else:
                app = world.apps[json.loads(of)]
                if kind == "user":
                    self._user(app, fields)
                elif kind == "conversation":
                    self._conversation(app, fields)
                elif kind == "message":
                    self._message(app, json.loads(parent), fields)
                elif kind == "key":
                    app.idempotency[json.loads(parent), json.loads(id_)] = tuple(fields)
                elif kind == "file":
                    app.files[fields["token"]] = File(**fields, content=content or b"")
        for app in world.apps.values():
            _derive(app)
        world.ids.run = meta.get("starts", 0)
        world.continue_after(self._last_number)
        # Time goes on from what was stored: nothing in there is younger than the present.
        behind = meta.get("moment", 0.0) - world.clock.time()
        if behind > 0 and apps:
            world.advance(behind)
        return bool(apps)

    def _app(self, id_: str, fields: dict[str, Any]) -> None:
        world = self._world
        tokens = fields.pop("tokens")
        keys = fields.pop("secret_keys")
        app = world.apps.get(id_) or world.add_app(id_, keys[0])
        # The key that the emulator was started with counts as well.
        app.secret_keys = [*dict.fromkeys((*app.secret_keys, *keys))]
        for name, value in fields.items():
            setattr(app, name, value)
        world.anonymous_accounts.update(dict.fromkeys(tokens, app))

    def _user(self, app: StoredApp, fields: dict[str, Any]) -> None:
        user = StoredUser(**_ordered(fields, "order"))
        self._last_number = max(self._last_number, user.order[2])
        app.users[user.id] = user

    def _conversation(self, app: StoredApp, fields: dict[str, Any]) -> None:
        for people in ("participants", "left"):
            fields[people] = {
                user_id: StoredParticipant(**_ordered(one, "read_until"))
                for user_id, one in fields[people].items()
            }
        conversation = StoredConversation(**_ordered(fields, "order", "activity"))
        self._last_number = max(self._last_number, conversation.order[2])
        app.conversations[conversation.id] = conversation

    def _message(self, app: StoredApp, conversation_id: str, fields: dict[str, Any]) -> None:
        fields = _ordered(fields, "order", "location", "read_by")
        if fields["file"] is not None:
            fields["file"] = app.files[fields["file"]]
        message = StoredMessage(**fields)
        self._last_number = max(self._last_number, message.order[2])
        app.conversations[conversation_id].message_by_id[message.id] = message


def _ordered(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Make tuples of what JSON has as lists."""
    tuples = {name: tuple(fields[name]) for name in names if fields[name] is not None}
    return {**fields, **tuples}


def _derive(app: StoredApp) -> None:
    """Build what follows from an app's records: indexes, and who is where."""

    def by_order(records: Mapping[str, Any]) -> list[Any]:
        return sorted(records.values(), key=lambda record: record.order)

    app.users = {user.id: user for user in by_order(app.users)}
    for user in app.users.values():
        app.users_in_order.add(user)
    for conversation in by_order(app.conversations):
        app.conversations_by_creation.add(conversation)
        app.conversations_by_activity.add(conversation)
        for message in by_order(conversation.message_by_id):
            conversation.messages.add(message)
        for user_id in (*conversation.participants, *conversation.left):
            if user_id in app.users:
                app.users[user_id].conversation_ids.add(conversation.id)
    # The oldest come first, as they are forgotten first.
    app.idempotency = dict(sorted(app.idempotency.items(), key=lambda item: item[1][1]))
