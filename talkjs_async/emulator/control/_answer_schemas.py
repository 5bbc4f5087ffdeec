"""What the operations of the control API answer, as JSON Schema."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from talkjs_async.emulator.commit_log import Commit
from talkjs_async.emulator.control._operation import COUNT, FLAG, NUMBER, OBJECT, TEXT, Schema
from talkjs_async.emulator.ledger import LedgerLine, Seen
from talkjs_async.emulator.limits import Limits
from talkjs_async.emulator.request_log import Exchange
from talkjs_async.emulator.switches import Switches
from talkjs_async.emulator.webhooks import Delivery

_NAMES: dict[type, str] = {
    Exchange: "Request",
    Commit: "Commit",
    Delivery: "Delivery",
    LedgerLine: "Behaviour",
    Seen: "Seen",
    Limits: "Limits",
}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    # As text, since JSON has no bytes.
    bytes: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Any: {},
}


def record(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def of(kind: Any) -> Schema:
    """Return the schema of a type: of a record a reference, of all else what it consists of."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, str):
        # A record that holds some of its own kind.
        kind = next(one for one in _NAMES if one.__name__ == kind)
    if kind in _NAMES:
        return {"$ref": f"#/components/schemas/{_NAMES[kind]}"}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [of(one) for one in arguments]}
    if origin is tuple:
        return list_of(of(getattr(arguments[0], "__forward_arg__", arguments[0])))
    assert origin is not None  # noqa: S101  # the records have no other types
    assert issubclass(origin, Mapping)  # noqa: S101
    return {"type": "object", "additionalProperties": of(arguments[1])}


def components() -> dict[str, Schema]:
    """Return the schemas of all records, by name."""
    return {
        name: record(**{field.name: _described(field) for field in attrs.fields(kind)})
        for kind, name in _NAMES.items()
    }


def _described(field: "attrs.Attribute[Any]") -> Schema:
    meaning = field.metadata.get("meaning")
    return {**of(field.type)} | ({} if meaning is None else {"description": meaning})


NOTHING = record()
INFO = record(
    version={"const": 1},
    app_id=TEXT,
    now=NUMBER,
    users=COUNT,
    conversations=COUNT,
    requests=COUNT,
    commits=COUNT,
    deliveries=COUNT,
)
NOW = record(now=NUMBER)
FAULT = record(
    number=COUNT,
    id=TEXT,
    on=of(str | None),
    fired=COUNT,
    seen=COUNT,
    left=of(int | None),
)
FAULTS = list_of(FAULT)
FAULT_KINDS = list_of(record(id=TEXT, meaning=TEXT))
SWITCHES = record(**{name: {"enum": list(choices)} for name, choices in Switches.choices().items()})
RECEIVER = record(target=TEXT, events=of(tuple[str, ...] | None))
RECEIVERS = list_of(RECEIVER)
EVENT = record(id=TEXT, type=TEXT, createdAt=COUNT, data=OBJECT)
EVENTS = list_of(EVENT)
SETTLED = record(settled=FLAG, deliveries=COUNT)
STORED = record(users=COUNT, conversations=COUNT)
TEXTS = list_of(TEXT)
