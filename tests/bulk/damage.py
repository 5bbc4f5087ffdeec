"""
Damages backups in all kinds of ways and restores them.

    python -m tests.bulk.damage --backups 10000

None may be called good without being equal; shuffled and undamaged ones must come back equal.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio

from talkjs_async import AsyncTalkJS, ConfigurationError
from talkjs_async.bulk import (
    StorageError,
    export,
    import_messages,
    restore,
    upsert_conversations,
    upsert_users,
)
from talkjs_async.emulator import Emulator, Limits

NAMES: Final = ("users", "conversations", "participants", "messages")
NEW: Final = ("createdAt", "id", "origin", "isUnread")
"""What TalkJS gives anew to some record."""

Damage = Callable[[random.Random, Path], None]


def of_lines(change: Callable[[random.Random, list[bytes]], list[bytes]]) -> Damage:
    def damage(chance: random.Random, path: Path) -> None:
        path.write_bytes(b"".join(change(chance, path.read_bytes().splitlines(keepends=True))))

    return damage


def flip(chance: random.Random, path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    path.write_bytes(content)


def cut(chance: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def without_one(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    return lines[:place] + lines[place + 1 :]


DAMAGES: Final[dict[str, Damage]] = {
    "flipped": flip,
    "cut": cut,
    "missing": lambda _, path: path.unlink(),
    "without a line": of_lines(without_one),
    "with a line twice": of_lines(lambda chance, lines: [*lines, chance.choice(lines)]),
    "with a line for another": of_lines(
        lambda chance, lines: [*without_one(chance, lines), chance.choice(lines)]
    ),
    "shuffled": of_lines(lambda chance, lines: chance.sample(lines, len(lines))),
    "undamaged": lambda _chance, _path: None,
}


async def make_backup(target: Path) -> None:
    emulator = Emulator(limits=Limits.off())
    async with client(emulator) as talkjs:
        await upsert_users(talkjs, ({"id": f"u{n}", "name": f"Ü {n}"} for n in range(6)))
        chats = ({"id": f"c{n}", "participants": [f"u{n}", "u0"]} for n in range(4))
        await upsert_conversations(talkjs, chats)
        await import_messages(
            talkjs,
            (
                {
                    "conversation_id": f"c{n % 4}",
                    "sender": f"u{n % 4}",
                    "text": f"text {n}",
                    "timestamp": 1_600_000_000_000 + n,
                }
                for n in range(24)
            ),
        )
        await talkjs.participants.update("c1", user_id="u1", access="Read")
        await export(talkjs, target)


def client(emulator: Emulator) -> AsyncTalkJS:
    names = emulator.app_id, emulator.secret_key
    return AsyncTalkJS(*names, transport=emulator.transport, clock=emulator.clock)


def content(target: Path) -> dict[str, list[str]]:
    """What of an export must come back."""
    found = {}
    for name in NAMES:
        lines: list[dict[str, Any]] = [
            json.loads(line) for line in (target / f"{name}.jsonl").read_bytes().splitlines()
        ]
        keep = {"users": ("id",), "conversations": ("id",), "messages": ("createdAt",)}
        new = set(NEW) - set(keep.get(name, ()))
        found[name] = sorted(
            json.dumps({k: v for k, v in line.items() if k not in new}, sort_keys=True)
            for line in lines
        )
    return found


async def restored(whole: Path, damage: str, seed: int) -> str:
    """
    Damage a copy of a backup and restore it.

    Returns:
        "equal", or the name of the error that refused it.

    Raises:
        AssertionError: It is said to be good and is not equal, or something was sent before it was
            refused.
    """
    chance = random.Random(seed)
    emulator = Emulator(limits=Limits.off())
    with tempfile.TemporaryDirectory() as directory:
        copy, after = Path(directory) / "copy", Path(directory) / "after"
        shutil.copytree(whole, copy)
        files = NAMES if damage == "shuffled" else (*NAMES, "manifest")
        name = chance.choice(files)
        path = copy / ("export.json" if name == "manifest" else f"{name}.jsonl")
        DAMAGES[damage](chance, path)
        async with client(emulator) as talkjs:
            try:
                report = await restore(talkjs, copy)
            except (ConfigurationError, StorageError) as error:
                assert not emulator.commits, "something was sent before it was refused"
                return type(error).__name__
            assert report.ok, str(report)
            await export(talkjs, after)
        assert content(whole) == content(after), f"{damage} {name}: said to be good"
    return "equal"


def damaged(backups: int, seed: int = 0) -> Counter[tuple[str, str]]:
    """Damage and restore so many backups. Return how often each kind ended how."""
    ends: Counter[tuple[str, str]] = Counter()

    async def main() -> None:
        with tempfile.TemporaryDirectory() as directory:
            whole = Path(directory) / "whole"
            await make_backup(whole)
            for number in range(backups):
                damage = list(DAMAGES)[number % len(DAMAGES)]
                ends[damage, await restored(whole, damage, seed + number)] += 1

    anyio.run(main)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    for (damage, end), count in sorted(damaged(options.backups, options.seed).items()):
        sys.stdout.write(f"{damage}: {count} {end}\n")
    sys.stdout.write(
        f"{options.backups} backups, 0 said to be good without being equal "
        f"({time.monotonic() - began:.0f} s)\n"
    )


if __name__ == "__main__":
    main()
