"""
What a page of 100 messages costs, from bytes to objects.

Every contender runs in a process of its own; the rounds of all contenders are interleaved, so that a
noisy neighbour disturbs them alike. Ratios are taken within a round. The baseline is `json.loads`
of the same bytes, which everybody but `validate_json` has to pay first.

Two contenders leave the content blocks as JSON (`talkjs-async` reads them when `message.content` is
asked for), the others make typed objects of them. The pydantic models have the same fields and types,
keep unknown keys and are frozen, as ours are.

    python -m benchmarks decode [--smoke] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

PROGRAM = (sys.executable, "-m", "benchmarks.decode")
BASELINE = "json.loads"
OURS = "talkjs-async"

Decode = Callable[[bytes], object]


class Run(NamedTuple):
    """One measurement of one contender."""

    contender: str
    round: int
    us_per_page: float


def page() -> bytes:
    """
    Build 100 messages as TalkJS sends them: the documented keys, and a likely mix of values.

    80 texts of 20 to 140 characters, 10 of them with bold parts; 8 files; 4 places; 8 system
    messages. A quarter has custom data, a tenth reactions, half were read by somebody.
    """
    return json.dumps({"data": [_message(number) for number in range(100)]}).encode()


def _message(number: int) -> dict[str, Any]:
    text: str | None = ("The parcel left this morning, see you soon. " * 4)[: 20 + 6 * (number % 21)]
    block: dict[str, Any] = {"type": "text", "children": [text]}
    attachment = location = None
    system = number % 25 in {4, 12}
    if number % 10 == 0:
        block["children"] = [{"type": "bold", "children": ["The parcel"]}, " left this morning."]
    elif number % 25 in {1, 2}:
        url = f"https://cdn.example.com/uploads/{number}/photo%20of%20the%20parcel.jpg"
        text, attachment = None, {"url": url, "size": 48_213}
        block = {
            "type": "file",
            "subtype": "image",
            "fileToken": "ft_" + "x" * 60,
            "url": url,
            "size": 48_213,
            "filename": "photo of the parcel.jpg",
            "width": 800,
            "height": 600,
        }
    elif number % 25 == 3:
        text, location = None, [51.481083, -3.178306]
        block = {"type": "location", "latitude": 51.481083, "longitude": -3.178306}
    return {
        "id": f"msg_{number:022d}",
        "conversationId": "order-2024-000117",
        "type": "SystemMessage" if system else "UserMessage",
        "senderId": None if system else f"user-{number % 3}",
        "text": text,
        "attachment": attachment,
        "location": location,
        "content": [block],
        "readBy": ["user-1"] if number % 2 else [],
        "origin": "rest" if system else "web",
        "referencedMessageId": f"msg_{number - 1:022d}" if number % 20 == 19 else None,
        "custom": {"order": "117", "kind": "status"} if number % 4 == 0 else {},
        "createdAt": 1_700_000_000_000 + 61_000 * number,
        "editedAt": 1_700_000_000_500 + 61_000 * number if number % 20 == 7 else None,
        "reactions": {"👍": {"count": 2, "createdAt": 1_700_000_001_000}} if number % 10 == 5 else {},
    }


# Contenders: each imports what it needs and returns a function from bytes to objects.


def json_only() -> Decode:
    """Dicts and lists, no model."""
    return json.loads


def ours() -> Decode:
    """Our models, as a list call makes them."""
    from talkjs_async.models.messages import Message

    read = Message.from_wire

    def decode(raw: bytes) -> object:
        return [read(record) for record in json.loads(raw)["data"]]

    return decode


def ours_with_content() -> Decode:
    """Our models, and the typed blocks of every message."""
    from talkjs_async.models.messages import Message

    read = Message.from_wire

    def decode(raw: bytes) -> object:
        messages = [read(record) for record in json.loads(raw)["data"]]
        return messages, [message.content for message in messages]

    return decode


def pydantic_page(*, typed: bool) -> Any:
    """Models of the same shape; *typed*: content blocks too."""
    from pydantic import BaseModel, ConfigDict, Field
    from pydantic.alias_generators import to_camel

    class Shared(BaseModel):
        model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)

    class Attachment(Shared):
        url: str
        size: int | None = None

    class Reaction(Shared):
        count: int | None = None
        created_at: int | None = None

    class Markup(Shared):
        type: str
        children: tuple[str | Markup, ...]

    class TextBlock(Shared):
        type: Literal["text"]
        children: tuple[str | Markup, ...]

    class FileBlock(Shared):
        type: Literal["file"]
        file_token: str
        url: str | None = None
        size: int | None = None
        filename: str | None = None
        subtype: str | None = None
        width: float | None = None
        height: float | None = None
        duration: float | None = None

    class LocationBlock(Shared):
        type: Literal["location"]
        latitude: float
        longitude: float

    Block = Annotated[TextBlock | FileBlock | LocationBlock, Field(discriminator="type")]
    Content = tuple[Block, ...] if typed else tuple[Any, ...]
