"""
The trial of a transfer, for `kill_trials`: two apps in one emulator.

What is there in the end must be what the source has: each message once, each reaction, each file.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from talkjs_async import AnonymousProjects, AsyncTalkJS, FileBlock, ImportedMessage, bulk
from talkjs_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bulk.kill_trials import Scene

_CONVERSATIONS = 20
_BEGIN = 1_700_000_000_000
_EMOJI = "👍"


async def prepare(scene: Scene) -> None:
    """Fill the first app, and make the second."""
    async with AnonymousProjects(base_url=scene.base_url) as projects:
        made = await projects.create()
        project = await projects.get(str(made.access_token))
    _target_file(scene).write_text(json.dumps([project.app_id, project.secret_key]), "utf-8")
    async with scene.client() as talkjs:
        for user_id in ("alice", "bob"):
            await talkjs.users.upsert(user_id, name=user_id)
        for number in range(_CONVERSATIONS):
            await _fill(talkjs, f"c{number}", scene.count // _CONVERSATIONS)


async def _fill(talkjs: AsyncTalkJS, chat: str, count: int) -> None:
    await talkjs.conversations.upsert(chat, participants=["alice", "bob"])
    token = (await talkjs.files.upload(chat.encode(), filename=f"{chat}.txt")).token
    messages: list[dict[str, Any]] = [
        # Every other one has the time of the one before it.
        {"sender": "alice", "sent_at": _moment(_BEGIN + n // 2), "text": f"{n}"}
        for n in range(count - 1)
    ]
    block = FileBlock(file_token=token)
    last = ImportedMessage(sender="bob", sent_at=_moment(_BEGIN + count), content=[block])
    sent: list[Any] = []
    for begin in range(0, len(messages), 100):
        sent += await talkjs.messages.import_many(chat, messages[begin : begin + 100])
    await talkjs.messages.import_many(chat, [last])
    for receipt in sent[::10]:
        await talkjs.reactions.add(chat, message_id=receipt.id, emoji=_EMOJI, user_id="bob")
    await talkjs.conversations.mark_as_read(chat, user_id="alice")
    # Bob has written, and left.
    await talkjs.participants.remove(chat, user_id="bob")


def _moment(milliseconds: int) -> Any:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def run(scene: Scene) -> None:
    """One pass."""

    async def main() -> None:
        async with scene.client() as source, _target(scene) as target:
            await bulk.transfer(
                source,
                target,
                journal=scene.directory / "journal",
                settle=0.2,
                allow_loopback_files=True,
            )

    anyio.run(main)


def check(scene: Scene, emulator: Emulator) -> None:
    """Compare what both apps have."""
    (target_id,) = set(emulator.apps) - {emulator.app_id}
    ours, theirs = (_contents(emulator, app_id) for app_id in (emulator.app_id, target_id))
    for name, expected in ours.items():
        lost, more = expected - theirs[name], theirs[name] - expected
        if lost or more:
            raise AssertionError(f"{name}: lost {[*lost][:3]}, doubled or invented {[*more][:3]}")


def _contents(emulator: Emulator, app_id: str) -> dict[str, Counter[Any]]:
    """What an app has, without what TalkJS gives anew."""
    app = emulator.apps[app_id]
    chats = app.conversations.values()
    people = [(c.id, u, p) for c in chats for u, p in c.participants.items()]
    messages = [m for c in chats for m in c.messages.walk(descending=True)]
    return {
        "users": Counter((user.id, user.name) for user in app.users.values()),
        "messages": Counter(
            (m.conversation_id, m.sender_id, m.created_at, m.text, m.file and m.file.content)
            for m in messages
        ),
        "reactions": Counter(
            (m.conversation_id, m.text, emoji, user)
            for m in messages
            for emoji, users in (m.reactions or {}).items()
            for user in users
        ),
        "participants": Counter(
            (chat, user, p.access, p.read_until and p.read_until[0]) for chat, user, p in people
        ),
    }


@asynccontextmanager
async def _target(scene: Scene) -> AsyncIterator[AsyncTalkJS]:
    app_id, key = json.loads(_target_file(scene).read_text("utf-8"))
    async with scene.client(app_id, key) as talkjs:
        yield talkjs


def _target_file(scene: Scene) -> Path:
    return scene.directory / "target.json"
