"""
Kills jobs with SIGKILL at random moments, runs them again, and asks the emulator what it has.

    python tests/bulk/kill.py --kills 200 --records 20000

The emulator runs in a thread of this process, on a port. Each pass of a job is a process of its
own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import attrs

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket, bulk
from talkjs_async.bulk.formats.export_directory import Manifest, write_manifest
from talkjs_async.bulk.formats.json_lines import EMPTY, LinesFile
from talkjs_async.emulator import Emulator, Limits, RealClock

CONVERSATIONS = 100
HANGS_AFTER = 300.0
"""Seconds after which a pass that was not killed has hung."""


@attrs.frozen
class Scene:
    """
    Where a job runs.

    Attributes:
        base_url: Of the emulator.
        directory: Where its journal and files are.
        count: How many records there are.
    """

    base_url: str
    directory: Path
    count: int

    def client(self) -> AsyncTalkJS:
        return AsyncTalkJS(
            "emulator",
            "sk_test_emulator",
            base_url=self.base_url,
            budgets=OwnBudgets(
                TokenBucket(rate=100_000.0, burst=100_000),
                TokenBucket(rate=100_000.0, burst=100_000),
            ),
            retry=RetryPolicy(base_delay=0.01, max_delay=0.1),
        )

    def messages(self) -> Iterator[dict[str, object]]:
        for number in range(self.count):
            conversation = f"c{number % CONVERSATIONS}"
            yield {"conversation_id": conversation, "sender": "alice", "text": f"{number}"}

    def old_messages(self) -> Iterator[dict[str, object]]:
        for number, message in enumerate(self.messages()):
            # Every other one has the time of the one before it in its conversation.
            yield {**message, "timestamp": 1_700_000_000_000 + number // (2 * CONVERSATIONS)}


@attrs.frozen
class Trial:
    """
    A job to kill.

    Attributes:
        prepare: Fills the emulator.
        run: One pass, in a process of its own.
        check: Raises AssertionError unless all is as if it had not been killed.
    """

    prepare: Callable[[Scene], Awaitable[None]]
    run: Callable[[Scene], None]
    check: Callable[[Scene, Emulator], None]


async def make_conversations(scene: Scene) -> None:
    async with scene.client() as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        for number in range(CONVERSATIONS):
            await talkjs.conversations.upsert(f"c{number}", participants=["alice"])


def send(scene: Scene) -> None:
    async def main() -> None:
        async with scene.client() as talkjs:
            await bulk.send_messages(talkjs, scene.messages(), journal=scene.directory / "journal")

    anyio.run(main)


def import_(scene: Scene) -> None:
    async def main() -> None:
        async with scene.client() as talkjs:
            await bulk.import_messages(
                talkjs, scene.old_messages(), journal=scene.directory / "journal", settle=0.2
            )

    anyio.run(main)


def each_once_in_order(scene: Scene, emulator: Emulator) -> None:
    texts = defaultdict(list)
    for commit in emulator.commits:
        if commit.kind in {"message.sent", "message.imported"}:
            texts[str(commit.conversation_id)].append(int(str(commit.text)))
    for number in range(CONVERSATIONS):
        expected = list(range(number, scene.count, CONVERSATIONS))
        found = texts[f"c{number}"]
        if expected != found:
            raise AssertionError(f"c{number}: {len(found)} messages, not {len(expected)} in order")


async def make_everything(scene: Scene) -> None:
    await make_conversations(scene)
    async with scene.client() as talkjs:
        users = ({"id": f"u{n}", "name": "x"} for n in range(scene.count // 10))
        await bulk.upsert_users(talkjs, users)
        chats = ({"id": f"d{n}"} for n in range(scene.count // 20))
        await bulk.upsert_conversations(talkjs, chats)
        await bulk.send_messages(talkjs, scene.messages())


def export(scene: Scene) -> None:
    async def main() -> None:
        target = scene.directory / "export"
        if (target / "export.json").exists() and not (target / "export.journal").exists():
            # It had ended when it was killed.
            return
        async with scene.client() as talkjs:
            await bulk.export(talkjs, target)

    anyio.run(main)


def same_as_unkilled(scene: Scene, _emulator: Emulator) -> None:
    async def main() -> None:
        async with scene.client() as talkjs:
            await bulk.export(talkjs, scene.directory / "whole")

    anyio.run(main)
    killed, whole = (
        {path.name: path.read_bytes() for path in (scene.directory / name).iterdir()}
        for name in ("export", "whole")
    )
    if killed != whole:
        raise AssertionError("the export differs from that of an unkilled run")


async def make_backup(scene: Scene) -> None:
    """Write an export: conversations of alice, where bob has written, too, and has left."""
    backup = scene.directory / "backup"
    backup.mkdir()
    people = [{"id": user_id, "name": "x"} for user_id in ("alice", "bob")]
    chats = [{"id": f"c{number}"} for number in range(CONVERSATIONS)]
    messages = [
        {
            "id": f"msg_{number}",
            "type": "UserMessage",
            "conversationId": message["conversation_id"],
            "senderId": ("alice", "bob")[number % 7 == 0],
            "text": message["text"],
            "createdAt": message["timestamp"],
        }
        for number, message in enumerate(scene.old_messages())
    ]
    # By conversation, in the order of the conversations, the newest first.
    messages.reverse()
    messages.sort(key=lambda message: int(str(message["conversationId"])[1:]))
    files: dict[str, Sequence[Mapping[str, object]]] = {
        "users": people,
        "conversations": chats,
        "participants": [{"conversationId": chat["id"], "userId": "alice"} for chat in chats],
        "messages": messages,
    }
    written = {}
    for name, records in files.items():
        file = LinesFile(backup / f"{name}.jsonl", EMPTY)
        file.append(records)
        file.close()
        written[name] = file.lines
    write_manifest(backup, Manifest(app_id="another", complete=True, activity=None, files=written))


def restore(scene: Scene) -> None:
    async def main() -> None:
        async with scene.client() as talkjs:
            await bulk.restore(
                talkjs, scene.directory / "backup", journal=scene.directory / "journal", settle=0.2
            )

    anyio.run(main)


def each_once_and_bob_gone(scene: Scene, emulator: Emulator) -> None:
    each_once_in_order(scene, emulator)
    there = emulator.apps[emulator.app_id].conversations
    people = {tuple(chat.participants) for chat in there.values()}
    if people != {("alice",)}:
        raise AssertionError(f"the participants are {people}")


TRIALS = {
    "send": Trial(make_conversations, send, each_once_in_order),
    "import": Trial(make_conversations, import_, each_once_in_order),
    "export": Trial(make_everything, export, same_as_unkilled),
    "restore": Trial(make_backup, restore, each_once_and_bob_gone),
}


@attrs.define
class Tally:
    """
    How often a job was killed.

    Attributes:
        kills: All of them.
        at_work: Those of a pass that had already sent something.
    """

    kills: int = 0
    at_work: int = 0


class Killer:
    """Runs a job to its end, over and over, until it has been killed often enough."""

    def __init__(self, seed: int = 0) -> None:
        # A server that forks: a pass begins in milliseconds, and there is no thread of ours in it.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["talkjs_async.bulk", "httpx", "httpcore"])
        self._random = random.Random(seed)

    def trial(self, trial: Trial, count: int, kills: int) -> Tally:
        """Kill a job at least *kills* times."""
        tally = Tally()
        requests = self._to_the_end(trial, count, [], tally)
        # After so many requests of a pass: on average, the last kill comes when the work is done.
        most = max(2, 2 * requests // kills)
        while tally.kills < kills:
            moments = [self._random.randint(0, most) for _ in range(kills - tally.kills)]
            self._to_the_end(trial, count, moments, tally)
        return tally

    def _to_the_end(self, trial: Trial, count: int, moments: list[int], tally: Tally) -> int:
        """Run a job, kill its passes at *moments*, check it. Return the requests of the last."""
        emulator = Emulator(clock=RealClock(), limits=Limits.off())
        with tempfile.TemporaryDirectory() as directory, emulator.serve() as server:
            scene = Scene(server.base_url, Path(directory), count)
            anyio.run(trial.prepare, scene)
            for moment in moments:
                before = emulator.requests.total
                if self._pass(trial.run, scene, emulator, moment):
                    break
                tally.kills += 1
                tally.at_work += emulator.requests.total > before
            else:
                before = emulator.requests.total
                if not self._pass(trial.run, scene, emulator, None):
                    raise AssertionError("the job hangs")
            requests = emulator.requests.total - before
            trial.check(scene, emulator)
        return requests

    def _pass(
        self, run: Callable[[Scene], None], scene: Scene, emulator: Emulator, moment: int | None
    ) -> bool:
        """
        Run one pass.

        Args:
            moment: Kill it after this many requests, or earlier. None: do not.

        Returns:
            Whether it came to its end.
        """
        goal = float("inf") if moment is None else emulator.requests.total + moment
        process = self._processes.Process(target=run, args=(scene,))
        process.start()
        deadline = time.monotonic() + HANGS_AFTER
        while process.is_alive() and emulator.requests.total < goal and time.monotonic() < deadline:
            time.sleep(0.001)
        if moment is not None:
            # Anywhere from the arrival of a request to some time after its answer was noted.
            process.join(self._random.expovariate(1 / 0.005))
        process.kill()
        process.join()
        if process.exitcode not in {0, -signal.SIGKILL}:
            raise AssertionError(f"the job failed with exit code {process.exitcode}")
        return process.exitcode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="at least, for each job")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", action="append", choices=list(TRIALS), help="by default, all")
    options = parser.parse_args()
    for job in options.job or TRIALS:
        begun = time.monotonic()
        tally = Killer(options.seed).trial(TRIALS[job], options.records, options.kills)
        seconds = time.monotonic() - begun
        sys.stdout.write(
            f"{job}: {options.records} records, killed {tally.kills} times, {tally.at_work} of "
            f"them at work: all as if it never was ({seconds:.0f} s)\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
