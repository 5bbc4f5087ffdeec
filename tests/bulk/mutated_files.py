"""
Damaged files by the thousand: `python -m tests.bulk.mutated_files 10000`.

CSV, JSON Lines and Sendbird's export, with characters, lines and values changed. A second reader,
which knows nothing of the first, says what such a file holds. Nothing may be stored that it does
not hold, nothing may end in a traceback, and what is intact must be stored, unless the file as a
whole is in doubt: then nothing may be.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.bulk import Job, import_messages, migrate_sendbird, read_old_messages
from talkjs_async.emulator import Emulator, Limits
from tests.bulk.second_reader import (
    FIELDS,
    Held,
    Sent,
    held_by_csv,
    held_by_json_lines,
    held_by_sendbird,
)

START: Final = 1_700_000_000_000
RECORDS: Final = 12
SHARE: Final = 0.99
"""Of the intact records, those that must be stored."""
FORMATS: Final = ("CSV", "JSON Lines", "Sendbird")
LETTERS: Final = [*'",;\n\r\\\0x {}[:é', "\\ud83d"]

Source = Callable[[AsyncTalkJS], Job]


@attrs.define
class Findings:
    """What came of the files of one format."""

    files: int = 0
    refused: int = 0
    in_doubt: int = 0
    intact: int = 0
    stored: int = 0
    tracebacks: list[str] = attrs.field(factory=list[str])
    invented: list[str] = attrs.field(factory=list[str])

    @property
    def met(self) -> bool:
        """Whether nothing ended in a traceback or was invented, and what is intact is stored."""
        return not self.tracebacks and not self.invented and self.share >= SHARE

    @property
    def share(self) -> float:
        """The part of the intact records that was stored, of files that are not in doubt."""
        return self.stored / self.intact if self.intact else 1.0


def originals(chance: random.Random) -> list[Sent]:
    """Messages with texts as people write them."""
    words = ["hi", "a, b", 'she said "hi"', "two\nlines", "emoji 😀", "x;y", "-", "{}", "tab\tbed"]
    return [
        (f"c{n % 3}", f"s{n % 2}", f"{n} {chance.choice(words)}", START + n) for n in range(RECORDS)
    ]


def csv_text(records: list[Sent], chance: random.Random, delimiter: str = ",") -> str:
    """Write CSV as spreadsheets do: quotes where needed, or everywhere; lines as anywhere."""
    everywhere = chance.random() < 0.3
    newline = chance.choice(["\n", "\n", "\r\n"])
    lines = [delimiter.join(FIELDS)]
    for record in records:
        cells = [str(value) for value in record]
        lines.append(delimiter.join(_quoted(cell, delimiter, everywhere) for cell in cells))
    return newline.join(lines) + newline


def _quoted(cell: str, delimiter: str, everywhere: bool) -> str:
    if everywhere or any(letter in cell for letter in f'{delimiter}"\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def json_lines(records: list[Sent], chance: random.Random) -> str:
    """Write an object per line."""
    dump = json.JSONEncoder(ensure_ascii=chance.random() < 0.5).encode
    return "".join(dump(dict(zip(FIELDS, record, strict=True))) + "\n" for record in records)


def sendbird_files(records: list[Sent], chance: random.Random) -> dict[str, Any]:
    """Build an export: users and channels in a file, messages in two, some of them in both."""
    people = [{"user_id": f"s{n}", "nickname": f"S{n}"} for n in range(2)]
    channels = [{"channel_url": f"c{n}", "name": f"C{n}", "members": people} for n in range(3)]
    messages = [
        {
            "message_id": n,
            "type": "MESG",
            "channel_url": record[0],
            "user": {"user_id": record[1], "nickname": record[1]},
            "message": record[2],
            "created_at": record[3],
            "is_removed": False,
        }
        for n, record in enumerate(records)
    ]
    half = chance.randrange(1, RECORDS - 1)
    return {
        "1.json": {"active_users": people, "group_channels": channels},
        "2.json": {"messages": messages[: half + 1]},
        "3.json": {"messages": messages[half:]},
    }


ODD: Final[list[Any]] = [
    None,
    "",
    {},
    [],
    -1,
    0,
    1,
    True,
    False,
    1e300,
    10**25,
    1_700_000_000,
    "x",
    "\ud83d",
]


def mutate_values(files: dict[str, Any], chance: random.Random) -> None:
    """Change, drop or add a value of some message."""
    messages = files[chance.choice(["2.json", "3.json"])]["messages"]
    message = chance.choice(messages)
    key = chance.choice(["message_id", "type", "channel_url", "user", "message", "created_at"])
    match chance.randrange(4):
        case 0:
            message[key] = chance.choice(ODD)
        case 1:
            del message[key]
        case 2:
            message["is_removed"] = chance.choice([True, None, "no", 1])
        case _:
            removed = {**message, "is_removed": True}
            messages.insert(0, chance.choice([None, 7, "text", [], {}, removed]))


def mutate_lines(text: str, chance: random.Random) -> str:
    """Change, drop or add a value of some line of JSON."""
    lines = text.splitlines()
    place = chance.randrange(len(lines))
    record = json.loads(lines[place])
    key = chance.choice(FIELDS)
    match chance.randrange(4):
        case 0:
            record[key] = chance.choice(ODD)
        case 1:
            del record[key]
        case 2:
            record[chance.choice(["x", "Text", "id", "custom"])] = chance.choice(ODD)
        case _:
            record = chance.choice([None, 7, "text", [], {}, [record], {"messages": [record]}])
    lines[place] = json.dumps(record)
    return "\n".join(lines) + "\n"


def mutate_text(text: str, chance: random.Random) -> str:
    """Change some letters or lines."""
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(text) + 1)
        lines = text.split("\n")
        line = chance.randrange(len(lines))
        match chance.randrange(9):
            case 0:
                text = text[:place] + text[place + 1 :]
            case 1 | 2:
                text = text[:place] + chance.choice(LETTERS) + text[place:]
            case 3:
                text = text[:place] + chance.choice(LETTERS) + text[place + 1 :]
            case 4:
                text = text[:place] if chance.random() < 0.3 else text
            case 5:
                lines.insert(line, chance.choice(["", ",,,", " ", lines[line]]))
                text = "\n".join(lines)
            case 6:
                del lines[line]
                text = "\n".join(lines)
            case 7:
                other = chance.randrange(len(lines))
                lines[line], lines[other] = lines[other], lines[line]
                text = "\n".join(lines)
            case _:
                text = text.replace('"', chance.choice(['"', "'", '\\"', ""]), 1)
    return text


@attrs.frozen
class Case:
    """
    A damaged file, or a directory of them.

    Attributes:
        held: What it holds, by the second reader.
        records: What it held before it was damaged.
    """

    format: str
    text: str
    held: Held
    records: list[Sent]
    job: Source


def cases(chance: random.Random, folder: Path) -> Iterator[Case]:
    """Make damaged files, one after the other, as many of each format."""
    while True:
        records = originals(chance)
        delimiter = chance.choice([",", ",", ";", "\t"])
        text = mutate_text(csv_text(records, chance, delimiter), chance)
        held = held_by_csv(text, delimiter)
        yield Case("CSV", text, held, records, _written(folder / "x.csv", text, chance))
        text = json_lines(records, chance)
        if chance.random() < 0.5:
            text = mutate_lines(text, chance)
        if chance.random() < 0.7:
            text = mutate_text(text, chance)
        job = _written(folder / "x.jsonl", text, chance)
        yield Case("JSON Lines", text, held_by_json_lines(text), records, job)
        files = sendbird_files(records, chance)
        if chance.random() < 0.7:
            mutate_values(files, chance)
        texts = {name: json.dumps(content, indent=0) for name, content in files.items()}
        if chance.random() < 0.4:
            name = chance.choice([*texts])
            texts[name] = mutate_text(texts[name], chance)
        export = folder / "sendbird"
        shutil.rmtree(export, ignore_errors=True)
        export.mkdir()
        for name, text in texts.items():
            (export / name).write_text(text, encoding="utf-8")
        held = held_by_sendbird(texts)
        job = partial(_migrate, export)
        yield Case("Sendbird", "\n".join(texts.values()), held, records, job)


def _written(path: Path, text: str, chance: random.Random) -> Source:
    mark = "\ufeff" if chance.random() < 0.2 else ""
    path.write_text(mark + text, encoding="utf-8", newline="")
    return partial(_import, path)


def _import(path: Path, talkjs: AsyncTalkJS) -> Job:
    return import_messages(talkjs, read_old_messages(path))


def _migrate(path: Path, talkjs: AsyncTalkJS) -> Job:
    return migrate_sendbird(talkjs, path)


async def run(count: int, *, seed: int = 1) -> dict[str, Findings]:
    """Store *count* damaged files, each at a TalkJS of its own; by their format."""
    findings = {name: Findings() for name in FORMATS}
    with tempfile.TemporaryDirectory() as folder:
        for case in islice(cases(random.Random(seed), Path(folder)), count):
            await _store(findings[case.format], case)
    return findings


async def _store(findings: Findings, case: Case) -> None:
    findings.files += 1
    emulator = Emulator(limits=Limits.off())
    async with AsyncTalkJS(**emulator.options) as talkjs:
        for n in range(2):
            await talkjs.users.upsert(f"s{n}", name="S")
        for n in range(3):
            await talkjs.conversations.upsert(f"c{n}", participants=["s0", "s1"])
        try:
            await case.job(talkjs)
        except ConfigurationError:
            findings.refused += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            findings.tracebacks.append(f"{type(error).__name__}: {error}\n{case.text!r}")
        stored = {sent async for sent in _stored(talkjs)}
    held = case.held
    allowed = frozenset() if held.in_doubt else held.records
    findings.invented += [f"{sent}\n{case.text!r}" for sent in stored - allowed]
    findings.in_doubt += held.in_doubt
    if not held.in_doubt:
        intact = set(case.records) & held.records
        findings.intact += len(intact)
        findings.stored += len(intact & stored)


async def _stored(talkjs: AsyncTalkJS) -> Any:
    async for conversation in talkjs.conversations.list():
        async for message in talkjs.messages.list(conversation.id):
            yield (conversation.id, message.sender_id, message.text, message.created_at_ms)


def main(count: int) -> int:
    """Print what came of it, a line for each format; return the exit code."""
    began = time.perf_counter()
    found = anyio.run(run, count)
    for name, findings in found.items():
        print(  # noqa: T201
            f"{name:>10}: {findings.files:,} files, {findings.refused:,} refused, "
            f"{findings.in_doubt:,} in doubt; {findings.stored:,} of {findings.intact:,} intact "
            f"records stored ({findings.share:.2%}), {len(findings.tracebacks)} tracebacks, "
            f"{len(findings.invented)} invented"
        )
        for wrong in (findings.tracebacks + findings.invented)[:5]:
            print(wrong)  # noqa: T201
    print(f"{time.perf_counter() - began:.0f} s")  # noqa: T201
    return int(not all(findings.met for findings in found.values()))


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
