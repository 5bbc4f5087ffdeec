"""
The jobs that `tests.bulk.kill` kills: what each has to do, and what must be there in the end.

Passes run in processes of their own, checks in the emulator's.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from talkjs_async import AsyncTalkJS, OwnBudgets, RetryPolicy, TokenBucket, bulk
from talkjs_async.bulk import Job
from talkjs_async.bulk.formats.export_directory import NAMES, Manifest, write_manifest
from talkjs_async.bulk.formats.json_lines import EMPTY, LinesFile
from talkjs_async.emulator import Emulator
from tests.bulk import transfer_trial

CONVERSATIONS: Final = 100
START: Final = 1_700_000_000_000


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

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    def client(
        self, app_id: str = "emulator", key: str = "sk_test_emulator", *, overflow: bool = False
    ) -> AsyncTalkJS:
        # With overflow the ordinary budget is the smaller one, so that batches carry the calls.
        ordinary = TokenBucket(rate=50.0, burst=20) if overflow else TokenBucket(1e5, 100_000)
        return AsyncTalkJS(
            app_id,
            key,
            base_url=self.base_url,
            budgets=OwnBudgets(ordinary, TokenBucket(1e5, 100_000)),
            overflow_to_batch=overflow,
            retry=RetryPolicy(attempts=20, base_delay=0.01, max_delay=0.1),
        )

    def messages(self) -> Iterator[dict[str, object]]:
        for number in range(self.count):
            conversation = f"c{number % CONVERSATIONS}"
            yield {"conversation_id": conversation, "sender": "alice", "text": f"{number}"}

    def old_messages(self) -> Iterator[dict[str, object]]:
        for number, message in enumerate(self.messages()):
            # Every other one has the time of the one before it in its conversation.
            yield {**message, "timestamp": START + number // (2 * CONVERSATIONS)}


@attrs.frozen
class Trial:
    """
    A job to kill.

    Attributes:
        prepare: Fills the emulator, and the directory.
        run: One pass, in a process of its own.
        check: Raises AssertionError unless all is as if it had not been killed.
    """

    prepare: Callable[[Scene], Awaitable[None]]
    run: Callable[[Scene], None]
    check: Callable[[Scene, Emulator], None]


def job(make: Callable[[Scene, AsyncTalkJS], Job], *, overflow: bool = False) -> Any:
    """Make of a job what runs it in a process."""

    def run(scene: Scene) -> None:
        async def main() -> None:
            async with scene.client(overflow=overflow) as talkjs:
                report = await make(scene, talkjs)
            assert report.came_to_its_end, str(report)

        anyio.run(main)

    return run


async def nothing(_scene: Scene) -> None:
    pass


async def make_conversations(scene: Scene) -> None:
    async with scene.client() as talkjs:
        await talkjs.users.upsert("alice", name="Alice")
        chats = ({"id": f"c{n}", "participants": ["alice"]} for n in range(CONVERSATIONS))
        await bulk.upsert_conversations(talkjs, chats)


async def make_everything(scene: Scene) -> None:
    await make_conversations(scene)
    async with scene.client() as talkjs:
        users = ({"id": f"u{n}", "name": "x"} for n in range(scene.count // 10))
        await bulk.upsert_users(talkjs, users)
        chats = ({"id": f"d{n}"} for n in range(scene.count // 20))
        await bulk.upsert_conversations(talkjs, chats)
        await bulk.send_messages(talkjs, scene.messages())


async def make_earlier_export(scene: Scene) -> None:
    await make_everything(scene)
    async with scene.client() as talkjs:
        await bulk.export(talkjs, scene.directory / "export")
        news = ({**message, "text": "news"} for message in scene.messages())
        await bulk.send_messages(talkjs, news)


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
    manifest = Manifest(app_id="another", complete=True, activity=None, files=written)
    write_manifest(backup, manifest)


async def make_sendbird_export(scene: Scene) -> None:
    alice = {"user_id": "alice", "nickname": "Alice"}
    channels = [{"channel_url": f"c{n}", "members": [alice]} for n in range(CONVERSATIONS)]
    messages = [
        {
            "message_id": number,
            "type": "MESG",
            "channel_url": message["conversation_id"],
            "user": alice,
            "message": message["text"],
            "created_at": message["timestamp"],
            "is_removed": False,
        }
        for number, message in enumerate(scene.old_messages())
    ]
    folder = scene.directory / "sendbird"
    folder.mkdir()
    for name, content in (
        ("1", {"active_users": [alice], "group_channels": channels}),
        ("2", {"messages": messages}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content))


def export(scene: Scene) -> None:
    target = scene.directory / "export"
    if (target / "export.json").exists() and not (target / "export.journal").exists():
        # It had ended when it was killed.
        return
    run_export(scene)


run_export = job(lambda scene, talkjs: bulk.export(talkjs, scene.directory / "export"))


def all_users(scene: Scene, emulator: Emulator) -> None:
    there = Counter(commit.user_id for commit in emulator.commits.of("user.created"))
    expected = Counter(f"u{number}" for number in range(scene.count))
    if there != expected:
        raise AssertionError(f"{len(there)} users, not {len(expected)} once each")


def all_conversations(scene: Scene, emulator: Emulator) -> None:
    there = emulator.apps[emulator.app_id].conversations
    expected = {f"n{number}": f"About {number}" for number in range(scene.count // 10)}
    found = {id_: there[id_].subject for id_ in there if id_.startswith("n")}
    if found != expected:
        raise AssertionError(f"{len(found)} conversations, not {len(expected)}")


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


def each_once_and_bob_gone(scene: Scene, emulator: Emulator) -> None:
    each_once_in_order(scene, emulator)
    there = emulator.apps[emulator.app_id].conversations
    people = {tuple(chat.participants) for chat in there.values()}
    if people != {("alice",)}:
        raise AssertionError(f"the participants are {people}")


def same_as_unkilled(scene: Scene, _emulator: Emulator) -> None:
    job(lambda scene, talkjs: bulk.export(talkjs, scene.directory / "whole"))(scene)
    killed, whole = (
        {
            name: sorted((scene.directory / kind / f"{name}.jsonl").read_bytes().splitlines())
            for name in NAMES
        }
        for kind in ("export", "whole")
    )
    if killed != whole:
        raise AssertionError("the export differs from that of an unkilled run")
    left = {path.name for path in (scene.directory / "export").iterdir()}
    if left != {"export.json", *(f"{name}.jsonl" for name in NAMES)}:
        raise AssertionError(f"the export leaves {left}")


def nothing_left(scene: Scene, emulator: Emulator) -> None:
    there = emulator.apps[emulator.app_id].conversations.values()
    texts = Counter(m.text for chat in there for m in chat.messages.walk(descending=False))
    if dict(texts) != {"[DELETED]": scene.count}:
        raise AssertionError(f"the texts are {texts.most_common(3)}")


TRIALS: Final = {
    "users": Trial(
        nothing,
        job(
            lambda s, t: bulk.upsert_users(
                t, ({"id": f"u{n}", "name": "x"} for n in range(s.count)), journal=s.journal
            )
        ),
        all_users,
    ),
    "conversations": Trial(
        make_conversations,
        job(
            lambda s, t: bulk.upsert_conversations(
                t,
                ({"id": f"n{n}", "subject": f"About {n}"} for n in range(s.count // 10)),
                journal=s.journal,
            )
        ),
        all_conversations,
    ),
    "send": Trial(
        make_conversations,
        job(lambda s, t: bulk.send_messages(t, s.messages(), journal=s.journal)),
        each_once_in_order,
    ),
    "send with overflow": Trial(
        make_conversations,
        job(lambda s, t: bulk.send_messages(t, s.messages(), journal=s.journal), overflow=True),
        each_once_in_order,
    ),
    "import": Trial(
        make_conversations,
        job(lambda s, t: bulk.import_messages(t, s.old_messages(), journal=s.journal, settle=0.2)),
        each_once_in_order,
    ),
    "export": Trial(make_everything, export, same_as_unkilled),
    "export brought up to date": Trial(make_earlier_export, run_export, same_as_unkilled),
    "restore": Trial(
        make_backup,
        job(lambda s, t: bulk.restore(t, s.directory / "backup", journal=s.journal, settle=0.2)),
        each_once_and_bob_gone,
    ),
    "transfer": Trial(transfer_trial.prepare, transfer_trial.run, transfer_trial.check),
    "migrate": Trial(
        make_sendbird_export,
        job(
            lambda s, t: bulk.migrate_sendbird(
                t, s.directory / "sendbird", journal=s.journal, settle=0.2
            )
        ),
        each_once_in_order,
    ),
    "anonymise": Trial(
        make_everything,
        job(lambda s, t: bulk.anonymise_user(t, "alice", journal=s.journal)),
        nothing_left,
    ),
}
