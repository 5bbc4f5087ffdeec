"""The message as attrs classes that cattrs reads: same fields; unknown keys are dropped."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import attrs


@attrs.frozen
class Attachment:
    """A file."""

    url: str
    size: int | None = None


@attrs.frozen
class Reaction:
    """One emoji."""

    count: int | None
    created_at: int | None


@attrs.frozen
class Message:
    """A message with its content as it came."""

    id: str
    conversation_id: str
    type: str
    sender_id: str | None
    text: str | None
    attachment: Attachment | None
    location: tuple[float, float] | None
    content: tuple[Any, ...]
    read_by: tuple[str, ...]
    origin: str | None
    referenced_message_id: str | None
    custom: dict[str, str]
    reactions: dict[str, Reaction]
    created_at: int
    edited_at: int | None


def make_reader() -> Callable[[Any], list[Message]]:
    """Generate the readers of cattrs as its manual advises for speed: no detailed errors."""
    cattrs: Any = import_module("cattrs")
    gen: Any = import_module("cattrs.gen")
    converter = cattrs.Converter(detailed_validation=False)
    for model in (Reaction, Message):
        renames: dict[str, Any] = {
            field.name: gen.override(rename=_camel(field.name)) for field in attrs.fields(model)
        }
        hook = gen.make_dict_structure_fn(model, converter, **renames)
        converter.register_structure_hook(model, hook)

    def read(records: Any) -> list[Message]:
        messages: list[Message] = converter.structure(records, list[Message])
        return messages

    return read


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))
