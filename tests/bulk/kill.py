"""
Kills jobs with SIGKILL at random moments, resumes them, and asks the emulator what it has stored.

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
from collections.abc import Callable, Iterator

import anyio
import attrs

from talkjs_async import AsyncTalkJS, RetryPolicy, TokenBucket, bulk
from talkjs_async.emulator import Emulator, Limits, SystemClock

CONVERSATIONS = 100
PATIENCE = 120.0
"""Seconds after which a pass that nobody kills has hung."""

Pass = Callable[[str, str, int], None]


def client(base_url: str) -> AsyncTalkJS:
    return AsyncTalkJS(
        "emulator",
        "sk_test_emulator",
        base_url=base_url,
        limiter=TokenBucket(rate=100_000.0, burst=100_000),
        retry=RetryPolicy(base_delay=0.01, max_delay=0.1),
    )


def messages(count: int) -> Iterator[dict[str, str]]:
    for number in range(count):
        conversation = f"c{number % CONVERSATIONS}"
        yield {"conversation_id": conversation, "sender": "alice", "text": f"{number}"}


async def make_conversations(base_url: str) -> None:
    async with client(base_url) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        for number in range(CONVERSATIONS):
            await talkjs.conversations.upsert(f"c{number}", participants=["alice"])


def old_messages(count: int) -> Iterator[dict[str, object]]:
    for number, message in enumerate(messages(count)):
        # Every other one has the time of the one before it in its conversation.
        moment = 1_700_000_000_000 + number // (2 * CONVERSATIONS)
        yield {**message, "timestamp": moment}


def send(base_url: str, directory: str, count: int) -> None:
    async def main() -> None:
        async with client(base_url) as talkjs:
            await bulk.send_messages(talkjs, messages(count), journal=f"{directory}/journal")

    anyio.run(main)


def import_(base_url: str, directory: str, count: int) -> None:
    async def main() -> None:
        async with client(base_url) as talkjs:
            await bulk.import_messages(
                talkjs, old_messages(count), journal=f"{directory}/journal", settle=0.2
            )

    anyio.run(main)


def each_once_in_order(emulator: Emulator, count: int) -> None:
    texts = defaultdict(list)
    for commit in (*emulator.commits.of("message.sent"), *emulator.commits.of("message.imported")):
        texts[str(commit.conversation_id)].append(int(str(commit.text)))
    for number in range(CONVERSATIONS):
        expected = list(range(number, count, CONVERSATIONS))
        found = texts[f"c{number}"]
        if expected != found:
            raise AssertionError(f"c{number}: {len(found)} messages, not {len(expected)} in order")


@attrs.frozen
class Trial:
    """A job to kill: one pass of it, and what must be true in the end."""

    run: Pass
    check: Callable[[Emulator, int], None]


TRIALS = {"send": Trial(send, each_once_in_order), "import": Trial(import_, each_once_in_order)}


class Killer:
    """Runs a job to its end, over and over, until it has been killed often enough."""

    def __init__(self, seed: int) -> None:
        # A server that forks: a pass begins in milliseconds, and there is no thread of ours in it.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["talkjs_async.bulk", "httpx", "httpcore"])
        self._random = random.Random(seed)

    def trial(self, trial: Trial, count: int, kills: int) -> int:
        """Return how many killings the job survived; at least *kills*."""
        killed = 0
        begun = time.monotonic()
        self._to_the_end(trial, count, [])
        whole = time.monotonic() - begun
        while killed < kills:
            most = 0.2 + 3 * whole / kills
            moments = [self._random.uniform(0.0, most) for _ in range(kills - killed)]
            killed += self._to_the_end(trial, count, moments)
        return killed

    def _to_the_end(self, trial: Trial, count: int, moments: list[float]) -> int:
        emulator = Emulator(clock=SystemClock(), limits=Limits.off())
        with tempfile.TemporaryDirectory() as directory, emulator.serve() as server:
            anyio.run(make_conversations, server.base_url)
            arguments = (server.base_url, directory, count)
            killed = 0
            for moment in moments:
                if self._pass(trial.run, arguments, moment):
                    break
                killed += 1
            else:
                if not self._pass(trial.run, arguments, PATIENCE):
                    raise AssertionError("the job hangs")
            trial.check(emulator, count)
        return killed

    def _pass(self, run: Pass, arguments: tuple[str, str, int], moment: float) -> bool:
        """Run one pass and kill it after *moment* seconds. Return whether it came to its end."""
        process = self._processes.Process(target=run, args=arguments)
        process.start()
        process.join(moment)
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
    parser.add_argument("jobs", nargs="*", default=list(TRIALS))
    options = parser.parse_args()
    for job in options.jobs:
        begun = time.monotonic()
        killed = Killer(options.seed).trial(TRIALS[job], options.records, options.kills)
        seconds = time.monotonic() - begun
        sys.stdout.write(
            f"{job}: {options.records} records, killed {killed} times: "
            f"each exactly once and in order ({seconds:.0f} s)\n"
        )


if __name__ == "__main__":
    main()
