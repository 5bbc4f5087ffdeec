"""Deleting what is not there, alone and in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, NotFound, UnknownApp, call_of
from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

Deletion = Callable[..., Any]

DELETIONS: list[Any] = [
    pytest.param(
        lambda talkjs: (talkjs.conversations.delete, {"conversation_id": "nowhere"}),
        id="conversation",
    ),
    pytest.param(
        lambda talkjs: (talkjs.messages.delete, {"conversation_id": "chat", "message_id": "msg_0"}),
        id="message",
    ),
    pytest.param(
        lambda talkjs: (
            talkjs.participants.remove,
            {"conversation_id": "chat", "user_id": "carol"},
        ),
        id="participant",
    ),
]


@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("answer", ["not_found", "ok"])
async def test_what_is_not_there_may_be_missing(
    talkjs: AsyncTalkJS, emulator: Emulator, deletion: Deletion, answer: Any
) -> None:
    emulator.switches.delete_unknown = answer
    method, ids = deletion(talkjs)

    alone = await method(**ids, missing_ok=True)
    [together] = await talkjs.batch(call_of(method, **ids, missing_ok=True))

    assert (None, None) == (alone, together)


@pytest.mark.parametrize("deletion", DELETIONS)
async def test_what_is_not_there_is_not_found_by_default(
    talkjs: AsyncTalkJS, deletion: Deletion
) -> None:
    method, ids = deletion(talkjs)

    with pytest.raises(NotFound):
        await method(**ids)


@pytest.mark.parametrize("deletion", DELETIONS)
async def test_an_app_must_not_be_missing(emulator: Emulator, deletion: Deletion) -> None:
    other = AsyncTalkJS("other", "key", transport=emulator.transport, clock=emulator.clock)
    method, ids = deletion(other)

    with pytest.raises(UnknownApp):
        await method(**ids, missing_ok=True)
