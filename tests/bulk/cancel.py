"""
Cancels jobs at random moments, runs them again in the same process, and asks the emulator.

    python -m tests.bulk.cancel --jobs 1000

For each kind of job, each way to cancel and each event loop there is a process of its own, so that
a crash or a hang is noticed.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
import attrs

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket, bulk
from talkjs_async.bulk import Job
from talkjs_async.emulator import Emulator, Limits, RealClock

CONVERSATIONS: Final = 12
MESSAGES: Final = 240
USERS: Final = 700
HANGS_AFTER: Final = 60.0
"""Seconds for one job, with its second run, on a machine that has other things to do."""
CUT: Final = "x"
ENDED: Final = "."
MANY: Final = 20
"""Of so many cancelled jobs some are at work, or the run shows nothing."""


@attrs.define
class Scene:
    """
    An emulator of one's own, a client of it, and a directory for the files of one job.

    Attributes:
        source: Another app, which a transfer copies.
        ended: Whether the job came to its end before it was cancelled.
    """

    emulator: Emulator
    directory: Path
    source: Emulator = attrs.field(
        factory=lambda: Emulator(app_id="source", clock=RealClock(), limits=Limits.off())
    )
    ended: bool = False

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    def client(self, emulator: Emulator | None = None) -> AsyncTalkJS:
        emulator = emulator or self.emulator
        return AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            transport=emulator.transport,
            budgets=OwnBudgets(
                TokenBucket(rate=100_000.0, burst=100_000),
                TokenBucket(rate=100_000.0, burst=100_000),
            ),
            retry=RetryPolicy(base_delay=0.01, max_delay=0.1),
        )


def users() -> Iterator[dict[str, object]]:
    return ({"id": f"u{number}", "name": "x"} for number in range(USERS))


def messages() -> Iterator[dict[str, object]]:
    for number in range(MESSAGES):
        conversation = f"c{number % CONVERSATIONS}"
        yield {"conversation_id": conversation, "sender": "alice", "text": f"{number}"}


def old_messages() -> Iterator[dict[str, object]]:
    for number, message in enumerate(messages()):
        yield {**message, "timestamp": 1_700_000_000_000 + number // (2 * CONVERSATIONS)}


async def nothing(_scene: Scene) -> None:
    pass


async def conversations(scene: Scene) -> None:
    async with scene.client() as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        chats = ({"id": f"c{n}", "participants": ["alice"]} for n in range(CONVERSATIONS))
        await bulk.upsert_conversations(talkjs, chats)


async def everything(scene: Scene) -> None:
    await conversations(scene)
    async with scene.client() as talkjs:
        await bulk.send_messages(talkjs, messages())


async def backup(scene: Scene) -> None:
    """Write the export of another emulator."""
    other = Scene(Emulator(clock=RealClock(), limits=Limits.off()), scene.directory)
    await everything(other)
    async with other.client() as talkjs:
        await bulk.export(talkjs, scene.directory / "backup")


async def earlier_backup(scene: Scene) -> None:
    """Write an export, and then send half of the messages."""
    await conversations(scene)
    numbered = list(messages())
    async with scene.client() as talkjs:
        await bulk.send_messages(talkjs, numbered[: MESSAGES // 2])
        await bulk.export(talkjs, scene.directory / "export")
        await bulk.send_messages(talkjs, numbered[MESSAGES // 2 :])


async def other_app(scene: Scene) -> None:
    """Fill the app that is copied."""
    await everything(Scene(scene.source, scene.directory))


def all_users(scene: Scene) -> None:
    there = scene.emulator.apps[scene.emulator.app_id].users
    assert {user["id"] for user in users()} == set(there), f"{len(there)} users"


def all_conversations(scene: Scene) -> None:
    there = scene.emulator.apps[scene.emulator.app_id].conversations
    assert {f"c{n}" for n in range(CONVERSATIONS)} == set(there)


def each_once_in_order(scene: Scene) -> None:
    texts = defaultdict(list)
    for commit in scene.emulator.commits:
        if commit.kind in {"message.sent", "message.imported"}:
            texts[str(commit.conversation_id)].append(int(str(commit.text)))
    for number in range(CONVERSATIONS):
        expected = list(range(number, MESSAGES, CONVERSATIONS))
        assert expected == texts[f"c{number}"], f"c{number} has {texts[f'c{number}']}"


def each_line_once(scene: Scene) -> None:
    found = {
        name: Counter(
            json.loads(line)["id"]
            for line in (scene.directory / "export" / f"{name}.jsonl").read_text().splitlines()
        )
        for name in ("users", "conversations", "messages")
    }
    assert {1} == {count for counter in found.values() for count in counter.values()}
    sizes = {name: len(counter) for name, counter in found.items()}
    assert {"users": 1, "conversations": CONVERSATIONS, "messages": MESSAGES} == sizes


def nothing_left(scene: Scene) -> None:
    there = scene.emulator.apps[scene.emulator.app_id].conversations.values()
    texts = Counter(m.text for chat in there for m in chat.messages.walk(descending=False))
    assert {"[DELETED]": MESSAGES} == dict(texts), str(texts.most_common(3))


@attrs.frozen
class Kind:
    """
    A kind of job.

    Attributes:
        prepare: Fills the emulator.
        job: Makes the job.
        check: Raises AssertionError unless all is as if it had not been cancelled.
    """

    prepare: Callable[[Scene], Awaitable[None]]
    job: Callable[[Scene, AsyncTalkJS], Job]
    check: Callable[[Scene], None]


KINDS: Final = {
    "users": Kind(
        nothing, lambda s, t: bulk.upsert_users(t, users(), journal=s.journal), all_users
    ),
    "conversations": Kind(
        conversations,
        lambda s, t: bulk.upsert_conversations(
            t, ({"id": f"c{n}", "subject": "x"} for n in range(CONVERSATIONS)), journal=s.journal
        ),
        all_conversations,
    ),
    "send": Kind(
        conversations,
        lambda s, t: bulk.send_messages(t, messages(), journal=s.journal),
        each_once_in_order,
    ),
    "import": Kind(
        conversations,
        lambda s, t: bulk.import_messages(t, old_messages(), journal=s.journal, settle=0.0),
        each_once_in_order,
    ),
    "export": Kind(everything, lambda s, t: bulk.export(t, s.directory / "export"), each_line_once),
    "update": Kind(
        earlier_backup, lambda s, t: bulk.export(t, s.directory / "export"), each_line_once
    ),
    "transfer": Kind(
        other_app,
        lambda s, t: bulk.transfer(s.client(s.source), t, journal=s.journal, settle=0.0),
        each_once_in_order,
    ),
    "restore": Kind(
        backup,
        lambda s, t: bulk.restore(t, s.directory / "backup", journal=s.journal, settle=0.0),
        each_once_in_order,
    ),
    "anonymise": Kind(
        everything,
        lambda s, t: bulk.anonymise_user(t, "alice", journal=s.journal),
        nothing_left,
    ),
}


async def to_the_end(kind: Kind, scene: Scene) -> float:
    began = time.perf_counter()
    target = anyio.Path(scene.directory / "export")
    is_done = await (target / "export.json").exists()
    if kind is KINDS["export"] and is_done and not await (target / "export.journal").exists():
        # It was cancelled when all was done.
        return 0.0
    async with scene.client() as talkjs:
        report = await kind.job(scene, talkjs)
    report.raise_for_failed()
    return time.perf_counter() - began


async def run(kind: Kind, scene: Scene) -> None:
    async with scene.client() as talkjs:
        await kind.job(scene, talkjs)
        scene.ended = True


async def native(kind: Kind, scene: Scene, moment: float, *, times: int) -> None:
    task = asyncio.create_task(run(kind, scene))
    await asyncio.sleep(moment)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(random.uniform(0, 0.003))
    with suppress(asyncio.CancelledError):
        await task
    # At once, in the same event loop.
    await to_the_end(kind, scene)


async def timed_out(kind: Kind, scene: Scene, moment: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(moment):
            await run(kind, scene)
    await to_the_end(kind, scene)


async def scoped(kind: Kind, scene: Scene, moment: float) -> None:
    with anyio.move_on_after(moment):
        await run(kind, scene)
    await to_the_end(kind, scene)


WAYS: Final[dict[str, Callable[[Kind, Scene, float], Awaitable[None]]]] = {
    "native": lambda kind, scene, moment: native(kind, scene, moment, times=1),
    "native-twice": lambda kind, scene, moment: native(kind, scene, moment, times=2),
    "timeout": timed_out,
    "scope": scoped,
}


class Loop:
    """Runs coroutines, each in an event loop of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, function: Callable[..., Awaitable[Any]], *args: object) -> Any:
        if self.name == "trio":
            return anyio.run(function, *args, backend="trio")
        options = {"use_uvloop": self.name == "uvloop"}
        return anyio.run(function, *args, backend="asyncio", backend_options=options)

    def interrupt(self, kind: Kind, scene: Scene, moment: float) -> None:
        """Press Ctrl-C at a moment; run the job again in a new event loop."""
        over = threading.Event()

        def press() -> None:
            if not over.wait(moment):
                os.kill(os.getpid(), signal.SIGINT)

        presser = threading.Thread(target=press)
        try:
            presser.start()
            self.run(run, kind, scene)
        except* KeyboardInterrupt:
            # Trio raises it in a task of its choice, so it comes out of the task groups of the job.
            pass
        except* Exception as cut:
            # It comes between any two instructions, so in half of the step that enters or leaves
            # a scope, which breaks trio's stack of scopes; and while uvloop is being closed.
            if self.name == "asyncio" or not comes_of_interrupt(cut):
                raise
            sys.stderr.write("".join(traceback.format_exception(cut)))
        # A signal that came late belongs to this trial, too.
        with suppress(KeyboardInterrupt):
            over.set()
            presser.join()
            time.sleep(0.001)
        self.run(to_the_end, kind, scene)


def comes_of_interrupt(error: BaseException | None) -> bool:
    """Tell whether all that went wrong began with a `KeyboardInterrupt`."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(comes_of_interrupt, error.exceptions))
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return comes_of_interrupt(error.__cause__ or error.__context__)


COMBINATIONS: Final = [
    *itertools.product(("asyncio", "uvloop"), (*WAYS, "interrupt")),
    ("trio", "scope"),
    ("trio", "interrupt"),
]

SHORT: Final = [
    (kind, *combination)
    for kind, combination in zip(itertools.cycle(KINDS), COMBINATIONS, strict=False)
]


@contextmanager
def new_scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as directory:
        yield Scene(Emulator(clock=RealClock(), limits=Limits.off()), Path(directory))


@contextmanager
def copy_of(prepared: Scene) -> Iterator[Scene]:
    """Copy a scene: to prepare another one would take longer than its job."""
    with new_scene() as scene:
        shutil.copytree(prepared.directory, scene.directory, dirs_exist_ok=True)
        scene.emulator.restore(prepared.emulator.snapshot())
        scene.source.restore(prepared.source.snapshot())
        yield scene


def trial(loop: Loop, way: str, kind: Kind, prepared: Scene, moment: float) -> bool:
    """Cancel a job, and run it again. Return whether it was still at work when it was cancelled."""
    with copy_of(prepared) as scene:
        if way == "interrupt":
            loop.interrupt(kind, scene, moment)
        else:
            loop.run(WAYS[way], kind, scene, moment)
        kind.check(scene)
        return not scene.ended


def work(options: argparse.Namespace) -> None:
    """Cancel jobs in this process; write a sign for each."""
    faulthandler.enable()
    # A program that was started in the background ignores Ctrl-C, and so would this one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed(options.seed)
    loop, kind = Loop(options.loop), KINDS[options.kind]
    longest = 0.0
    with new_scene() as prepared:
        loop.run(kind.prepare, prepared)
        # Once to import everything. How long the second run takes bounds the moments.
        for _ in range(2):
            with copy_of(prepared) as scene:
                longest = loop.run(to_the_end, kind, scene)
        for _ in range(options.jobs):
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            moment = random.uniform(0.0, longest)
            was_at_work = trial(loop, options.way, kind, prepared, moment)
            sys.stdout.write(CUT if was_at_work else ENDED)
            sys.stdout.flush()
    faulthandler.cancel_dump_traceback_later()


class Outcome(NamedTuple):
    """
    What came of cancelling jobs.

    Attributes:
        at_work: How many of them were still at work when they were cancelled.
        failure: What went wrong. None if nothing did.
    """

    at_work: int
    failure: str | None


def cancelled(kind: str, loop: str, way: str, *, jobs: int, seed: int = 0) -> Outcome:
    """Cancel jobs in a process of its own."""
    arguments = ["--worker", "--kind", kind, "--loop", loop, "--way", way]
    numbers = ["--jobs", str(jobs), "--seed", str(seed)]
    command = [sys.executable, "-m", "tests.bulk.cancel", *arguments, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    at_work = done.stdout.count(CUT)
    if done.returncode == 0 and at_work + done.stdout.count(ENDED) == jobs:
        nothing_shown = jobs >= MANY and not at_work
        return Outcome(at_work, "none was at work" if nothing_shown else None)
    last = "\n".join(done.stderr.strip().splitlines()[-60:])
    return Outcome(
        at_work, f"exit code {done.returncode} after {len(done.stdout)} of {jobs} jobs:\n{last}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(KINDS))
    parser.add_argument("--loop")
    parser.add_argument("--way")
    parser.add_argument("--short", action="store_true", help="each way once, each kind of job once")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    jobs = max(1, options.jobs // len(COMBINATIONS))
    everything = [(kind, *combination) for kind in KINDS for combination in COMBINATIONS]

    def cancel(kind: str, loop: str, way: str) -> bool:
        began = time.monotonic()
        at_work, failure = cancelled(kind, loop, way, jobs=jobs, seed=options.seed)
        seconds = time.monotonic() - began
        found = failure or "0 crashes, hangs, lost, doubled"
        sys.stdout.write(
            f"{kind}, {way} on {loop}: {jobs} jobs, {at_work} at work, {found} ({seconds:.0f} s)\n"
        )
        sys.stdout.flush()
        return failure is None

    with ThreadPoolExecutor(os.cpu_count()) as programs:
        running = [
            programs.submit(cancel, kind, loop, way)
            for kind, loop, way in (SHORT if options.short else everything)
            if options.kind in {None, kind}
            and options.loop in {None, loop}
            and options.way in {None, way}
        ]
    sys.exit(not all(each.result() for each in running))


if __name__ == "__main__":
    main()
