"""
Putting a seed into an emulator: users, conversations and messages, at times of their own.

Each record goes through the API's own routes, so a seed holds what a request may hold, and is
refused where a request would be. No budget is used, no request is logged, no webhook is sent.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from talkjs_async.emulator._dispatch import run_route
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._seed_files import WrongSeed
from talkjs_async.emulator._stored_records import StoredConversation
from talkjs_async.emulator._world import World
from talkjs_async.emulator.request_log import Exchange

# The last second that dates in headers, and Python's, can show.
_LATEST = 253_402_300_799
# More than any content block needs.
_DEEPEST = 50
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_OFFSET = re.compile(r"([+-]?\d+(?:\.\d+)?)([smhd])")


def plant(world: World, document: Mapping[str, Any]) -> None:
    """
    Add what a seed holds to what is there.

    Raises:
        WrongSeed: Something in it is wrong; it says where. What came before that is there.
    """
    unknown = set(document) - {"users", "conversations"}
    if unknown:
        raise WrongSeed(f"A seed has users and conversations, not {sorted(map(str, unknown))}.")
    for name, value in document.items():
        _check_values(name, value)
    with world.lock:
        world.webhooks.muted = True
        try:
            _Planting(world).plant(document)
        finally:
            world.webhooks.muted = False


class _Planting:
    """One seed on its way into the emulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._start = world.clock.time()

    def plant(self, document: Mapping[str, Any]) -> None:
        for user_id, user in _records(document, "users"):
            self._call(f"users.{user_id}", "PUT", f"/users/{_quoted(user_id)}", user)
        for id_, conversation in _records(document, "conversations"):
            self._conversation(id_, dict(conversation))

    def _conversation(self, id_: str, body: dict[str, Any]) -> None:
        where, path = f"conversations.{id_}", f"/conversations/{_quoted(id_)}"
        messages = body.pop("messages", [])
        people = body.pop("participants", [])
        if not isinstance(messages, list) or not isinstance(people, list | dict):
            raise WrongSeed(f"{where}: participants is a list or an object, messages a list.")
        if any(not isinstance(one, str) for one in people):
            raise WrongSeed(f"{where}.participants must hold the IDs of users.")
        places = {one: {} for one in people} if isinstance(people, list) else people
        senders = [one["sender"] for one in messages if _has_text(one, "sender")]
        # Those who have left since have written, too.
        former = [sender for sender in dict.fromkeys(senders) if sender not in places]
        self._call(where, "PUT", path, {**body, "participants": [*places, *former]})
        ids: dict[str, str] = {}
        for number, message in enumerate(messages):
            self._message(f"{where}.messages[{number}]", path, message, ids)
        for user_id in former:
            self._call(where, "DELETE", f"{path}/participants/{_quoted(user_id)}", {})
        conversation = self._world.main_app.conversations[id_]
        for user_id, place in places.items():
            at = f"{where}.participants.{user_id}"
            if not isinstance(place, dict):
                raise WrongSeed(f"{at} must be an object.")
            self._participant(at, path, user_id, dict(place), conversation)

    def _message(self, where: str, path: str, message: Any, ids: dict[str, str]) -> None:
        if not isinstance(message, dict):
            raise WrongSeed(f"{where} must be an object.")
        body = dict(message)
        name = body.pop("id", None)
        if name is not None and not isinstance(name, str):
            raise WrongSeed(f"{where}.id must be a text.")
        body.setdefault("type", "UserMessage" if "sender" in body else "SystemMessage")
        reference = body.get("referencedMessageId")
        if isinstance(reference, str) and reference in ids:
            body["referencedMessageId"] = ids[reference]
        (sent,) = self._call(where, "POST", f"{path}/messages", body)
        if name is not None:
            ids[name] = sent["id"]

    def _participant(
        self,
        where: str,
        path: str,
        user_id: str,
        place: dict[str, Any],
        conversation: StoredConversation,
    ) -> None:
        read_until = place.pop("readUntil", None)
        if place:
            self._call(where, "PUT", f"{path}/participants/{_quoted(user_id)}", place)
        if read_until is None:
            return
        moment = int(self._moment(where, read_until) * 1000)
        for message in conversation.messages.walk(descending=True):
            if message.created_at <= moment:
                conversation.participants[user_id].read_until = message.order
                return

    def _call(self, where: str, method: str, path: str, record: Any) -> Any:
        if not isinstance(record, dict):
            raise WrongSeed(f"{where} must be an object.")
        body = dict(record)
        now = self._moment(where, body.pop("at", None))
        found = self._world.router.find(method, path)
        assert found is not None, path  # noqa: S101  # our own paths
        route, ids = found
        request = Request(
            method,
            path,
            headers={b"content-type": b"application/json"},
            body=json.dumps([body] if method == "POST" else body).encode(),
        )
        exchange = Exchange(number=0, at=now, method=method, path=path)
        app = self._world.main_app
        answer = run_route(self._world, app, request, exchange, route, ids, now=now)
        said = json.loads(answer.body)
        if answer.status != 200:
            raise WrongSeed(f"{where}: {said.get('reasons', said)}")
        return said

    def _moment(self, where: str, at: Any) -> float:
        """Return the Unix time of a record: of the start, before it, or in milliseconds."""
        moment = self._unix_time(where, at)
        if not 0 <= moment <= _LATEST:
            raise WrongSeed(f"{where}.at must be a moment from 1970 to 9999.")
        return moment

    def _unix_time(self, where: str, at: Any) -> float:
        if at is None:
            return self._start
        if isinstance(at, int) and not isinstance(at, bool):
            return at / 1000
        parts = at.split() if isinstance(at, str) else []
        offsets = [_OFFSET.fullmatch(part) for part in parts]
        if not offsets or None in offsets:
            raise WrongSeed(f"{where}.at must be like '-2h' or '-1d -30m', or Unix milliseconds.")
        return self._start + sum(float(one[1]) * _UNITS[one[2]] for one in offsets if one)


def _check_values(where: str, value: Any, depth: int = 0) -> None:
    """Refuse what YAML and TOML have and no request can hold: dates, endless nesting."""
    if depth > _DEEPEST:
        raise WrongSeed(f"{where} is nested too deep.")
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise WrongSeed(f"{where}: {key!r} must be a text; put it in quotes.")
            _check_values(f"{where}.{key}", one, depth + 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            _check_values(f"{where}[{number}]", one, depth + 1)
    elif value is not None and not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise WrongSeed(f"{where} is a {kind}, which no request can hold; put it in quotes.")


def _has_text(record: Any, name: str) -> bool:
    return isinstance(record, dict) and isinstance(record.get(name), str)


def _records(document: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    records = document.get(name, {})
    if not isinstance(records, dict):
        raise WrongSeed(f"{name} must be an object of ID to {name[:-1]}.")
    for id_, record in records.items():
        if not id_:
            raise WrongSeed(f"{name} has a {name[:-1]} without an ID.")
        if not isinstance(record, dict):
            raise WrongSeed(f"{name}.{id_} must be an object.")
    return list(records.items())


def _quoted(id_: str) -> str:
    return quote(id_, safe="", errors="replace")
