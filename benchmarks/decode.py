"""
What a page of 100 messages costs, from bytes to objects.

The baseline is `json.loads` of the same bytes, which all but `validate_json` have to pay first.
Every contender runs in a process of its own and takes turns there with the baseline, twenty pages
each, so that a noisy neighbour disturbs both alike: the ratio is the middle of some hundred pairs.

Content blocks stay JSON until `message.content` is asked for, so there are two groups: with and
without typed blocks. The pydantic models have the same fields and types, keep unknown keys and are
frozen, as ours are.

    python -m benchmarks decode [--smoke] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from statistics import median
from types import ModuleType
from typing import Any, cast

from benchmarks.measure import Result, Runs, facts, stay_on, work

BASELINE = "json.loads"
OURS = "talkjs-async"
PYDANTIC = "pydantic v2, validate_python"
SLICE = 20

Decode = Callable[[bytes], object]


def page() -> bytes:
    """
    Build 100 messages as TalkJS sends them: the documented keys, and a likely mix of values.

    80 texts of 20 to 140 characters, 10 of them with bold parts; 8 files; 4 places; 8 system
    messages. A quarter has custom data, a tenth reactions, half were read by somebody.
    """
    return json.dumps({"data": [_message(number) for number in range(100)]}).encode()


def _message(number: int) -> dict[str, Any]:
    text: str | None = ("The parcel left this morning, see you soon. " * 4)[
        : 20 + 6 * (number % 21)
    ]
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
        "reactions": {"👍": {"count": 2, "createdAt": 1_700_000_001_000}}
        if number % 10 == 5
        else {},
    }


# Contenders: each imports what it needs and returns a function from bytes to objects.


def json_only() -> Decode:
    """Dicts and lists, no model."""
    return json.loads


def ours() -> Decode:
    """What `messages.list` makes of an answer: a page of models, all checks included."""
    # As if the extra `[speed]` were not installed.
    sys.modules["orjson"] = cast("ModuleType", None)
    return ours_with_orjson()


def ours_with_orjson() -> Decode:
    """The same, with the extra `[speed]` if it is installed."""
    from talkjs_async._core.codec import decode
    from talkjs_async._core.endpoint import call_of
    from talkjs_async.resources.messages import Messages

    async def send(_call: object) -> Any:
        raise AssertionError("the call is built, and nothing is sent")

    read = call_of(Messages(send).list, "order-2024-000117").decode
    return lambda raw: read(decode(raw))


def ours_with_content() -> Decode:
    """The same, and the typed blocks of every message."""
    decode: Callable[[bytes], Any] = ours()

    def decode_all(raw: bytes) -> object:
        messages = decode(raw)
        return messages, [message.content for message in messages]

    return decode_all


def pydantic_python() -> Decode:
    """Pydantic models of what `json.loads` made."""
    from benchmarks.rivals.pydantic_models import Page

    return lambda raw: Page.model_validate(json.loads(raw))


def pydantic_python_with_content() -> Decode:
    """The same, with typed content."""
    from benchmarks.rivals.pydantic_models import FullPage

    return lambda raw: FullPage.model_validate(json.loads(raw))


def pydantic_json() -> Decode:
    """Pydantic models by pydantic's own JSON reader."""
    from benchmarks.rivals.pydantic_models import Page

    return Page.model_validate_json


def pydantic_json_with_content() -> Decode:
    """The same, with typed content."""
    from benchmarks.rivals.pydantic_models import FullPage

    return FullPage.model_validate_json


def cattrs_structured() -> Decode:
    """Attrs classes read by cattrs."""
    from benchmarks.rivals.cattrs_models import make_reader

    read = make_reader()
    return lambda raw: read(json.loads(raw)["data"])


CONTENDERS: dict[str, tuple[str, Callable[[], Decode]]] = {
    BASELINE: ("json", json_only),
    OURS: ("talkjs_async", ours),
    "talkjs-async [speed]": ("orjson", ours_with_orjson),
    PYDANTIC: ("pydantic", pydantic_python),
    "pydantic v2, validate_json": ("pydantic", pydantic_json),
    "cattrs": ("cattrs", cattrs_structured),
    "talkjs-async + content": ("talkjs_async", ours_with_content),
    "pydantic v2, validate_python + content": ("pydantic", pydantic_python_with_content),
    "pydantic v2, validate_json + content": ("pydantic", pydantic_json_with_content),
}
"""Name to the distribution that it needs, and how to make it."""


def measure(contender: str, pages: int) -> Result:
    """
    Decode the page so many times, in turns with the baseline.

    Returns:
        us: CPU microseconds per page, of the best slice of 20 pages: others on the machine only
            ever add to it.
        ratio: How many times the baseline that is: the middle over all pairs of slices.
    """
    needs, make = CONTENDERS[contender]
    if find_spec(needs) is None:
        raise SystemExit(f"{needs} is not installed")
    decode, raw = make(), page()
    for _ in range(SLICE):
        decode(raw)
        json.loads(raw)
    gc.collect()
    pairs = [(_slice(decode, raw), _slice(json.loads, raw)) for _ in range(pages // SLICE)]
    return {
        "us": min(own for own, _ in pairs),
        "ratio": median(own / base for own, base in pairs),
    }


def _slice(decode: Decode, raw: bytes) -> float:
    started = time.process_time_ns()
    for _ in range(SLICE):
        decode(raw)
    return (time.process_time_ns() - started) / SLICE / 1000


def jobs(pages: int, python: str = sys.executable) -> dict[str, partial[Result]]:
    """What to measure, for `Runs.interleave`; *python* has all the contenders."""
    return {
        name: partial(work, "decode", "--work", name, str(pages), python=python)
        for name in CONTENDERS
    }


def table(runs: Runs) -> str:
    """Lay the medians out for people."""
    lines = [f"{'100 messages, CPU':<42}{'us':>8}{'x json.loads':>14}"]
    lines += [
        f"{name:<42}{runs.median(name, 'us'):>8.0f}{runs.median(name, 'ratio'):>14.2f}"
        for name in CONTENDERS
        if name not in runs.failures
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when we take twice as long as `json.loads` alone."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--work"]:
        stay_on(0)
        print(json.dumps(measure(arguments[1], int(arguments[2]))))
        return 0
    parser = argparse.ArgumentParser("benchmarks decode", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--json", action="store_true", help="one JSON line per run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pages", type=int, default=2000, help="per run")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.rounds, options.pages = 1, 400

    runs = Runs()
    lines = list(runs.interleave(jobs(options.pages), options.rounds))
    if options.json:
        here = facts()
        for line in lines:
            print(json.dumps(line | here))
    else:
        print(table(runs))
        for name, why in runs.failures.items():
            print(f"missing: {name}: {why}")
    # The figure to reach is 1.5; the rest is room for noise.
    return int(not runs.median(OURS, "ratio") <= 2.0)


if __name__ == "__main__":
    sys.exit(main())
