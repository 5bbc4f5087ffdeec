"""
What a page of 100 messages costs, from bytes to objects.

Every contender runs in a process of its own; the rounds of all contenders are interleaved, so that
a noisy neighbour disturbs them alike. Ratios are taken within a round. The baseline is `json.loads`
of the same bytes, which everybody but `validate_json` has to pay first.

Content blocks stay JSON until `message.content` is asked for, so there are two groups: with and
without typed blocks. The pydantic models have the same fields and types, keep unknown keys and are
frozen, as ours are.

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
from types import ModuleType
from typing import Any, NamedTuple, cast

PROGRAM = (sys.executable, "-m", "benchmarks.decode")
BASELINE = "json.loads"
OURS = "talkjs-async"
SLICE = 20

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
        raise NotImplementedError

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
    from benchmarks.pydantic_models import Page

    return lambda raw: Page.model_validate(json.loads(raw))


def pydantic_python_with_content() -> Decode:
    """The same, with typed content."""
    from benchmarks.pydantic_models import FullPage

    return lambda raw: FullPage.model_validate(json.loads(raw))


def pydantic_json() -> Decode:
    """Pydantic models by pydantic's own JSON reader."""
    from benchmarks.pydantic_models import Page

    return Page.model_validate_json


def pydantic_json_with_content() -> Decode:
    """The same, with typed content."""
    from benchmarks.pydantic_models import FullPage

    return FullPage.model_validate_json


def cattrs_structured() -> Decode:
    """Attrs classes read by cattrs."""
    from benchmarks.cattrs_models import make_reader

    read = make_reader()
    return lambda raw: read(json.loads(raw)["data"])


CONTENDERS: dict[str, tuple[str, Callable[[], Decode]]] = {
    BASELINE: ("json", json_only),
    OURS: ("talkjs_async", ours),
    "talkjs-async [speed]": ("orjson", ours_with_orjson),
    "pydantic v2, validate_python": ("pydantic", pydantic_python),
    "pydantic v2, validate_json": ("pydantic", pydantic_json),
    "cattrs": ("cattrs", cattrs_structured),
    "talkjs-async + content": ("talkjs_async", ours_with_content),
    "pydantic v2, validate_python + content": ("pydantic", pydantic_python_with_content),
    "pydantic v2, validate_json + content": ("pydantic", pydantic_json_with_content),
}
"""Name to the distribution that it needs, and how to make it."""


def measure(contender: str, pages: int) -> float:
    """
    Decode the page so many times; return microseconds of CPU per page.

    Counts the best slice of 20 pages: others on the machine only ever add to the figure.
    """
    decode = CONTENDERS[contender][1]()
    raw = page()
    for _ in range(20):
        decode(raw)
    gc.collect()
    return min(_slice(decode, raw) for _ in range(pages // SLICE))


def _slice(decode: Decode, raw: bytes) -> float:
    started = time.process_time_ns()
    for _ in range(SLICE):
        decode(raw)
    return (time.process_time_ns() - started) / SLICE / 1000


def compare(rounds: int, pages: int) -> list[Run]:
    """Measure all contenders that are installed, round by round."""
    runs = []
    present = [name for name, (needs, _) in CONTENDERS.items() if find_spec(needs)]
    for number in range(rounds):
        for name in present:
            command = [*PROGRAM, "--work", name, str(pages)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(Run(name, number, float(done.stdout)))
    return runs


def ratios(runs: Sequence[Run]) -> dict[str, float]:
    """Say how many times the baseline each contender takes: the median over the rounds."""
    baseline = {run.round: run.us_per_page for run in runs if run.contender == BASELINE}
    by_name: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        by_name[run.contender].append(run.us_per_page / baseline[run.round])
    return {name: median(values) for name, values in by_name.items()}


def table(runs: Sequence[Run]) -> str:
    """Lay the medians out for people."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        by_name[run.contender].append(run.us_per_page)
    lines = [f"{'100 messages, CPU':<42}{'us':>8}{'x json.loads':>14}"]
    lines += [
        f"{name:<42}{median(by_name[name]):>8.0f}{ratio:>14.2f}"
        for name, ratio in ratios(runs).items()
    ]
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """What was measured, and where."""
    facts = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("attrs", "pydantic", "talkjs-async"):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 when we take twice as long as `json.loads` alone."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--work"]:
        print(measure(arguments[1], int(arguments[2])))
        return 0
    parser = argparse.ArgumentParser("benchmarks decode", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--json", action="store_true", help="one JSON line per run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pages", type=int, default=2000, help="per run")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.rounds, options.pages = 3, 300

    runs = compare(options.rounds, options.pages)
    if options.json:
        facts = versions()
        for run in runs:
            print(json.dumps(run._asdict() | facts))
    else:
        print(table(runs))
    # The figure to reach is 1.5; the rest is room for noise.
    return int(ratios(runs)[OURS] > 2.0)


if __name__ == "__main__":
    sys.exit(main())
