"""The commit log says what was done."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from talkjs_async.emulator import COMMIT_KINDS, Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]


Send = Callable[..., Awaitable[httpx.Response]]


async def test_a_kind_that_does_not_exist_is_refused(emulator: Emulator) -> None:
    with pytest.raises(
        ValueError, match=r"no kind of commit 'message\.snt'; there are: app\.created"
    ):
        emulator.commits.of("message.snt")


@pytest.mark.parametrize("kind", COMMIT_KINDS)
async def test_what_has_not_happened_yet_is_an_empty_list(emulator: Emulator, kind: str) -> None:
    emulator.reset()

    assert [] == emulator.commits.of(kind)


def message(key: str) -> list[dict[str, str]]:
    return [{"type": "UserMessage", "sender": "alice", "text": "hi", "idempotencyKey": key}]


async def test_a_commit_tells_what_was_done(emulator: Emulator, send: Send) -> None:
    answer = await send("POST", "/conversations/chat/messages", message("k"))

    (commit,) = emulator.commits.of("message.sent")
    assert commit.message_id == answer.json()[0]["id"]
    assert (commit.conversation_id, commit.user_id) == ("chat", "alice")
    assert (commit.text, commit.idempotency_key) == ("hi", "k")
    assert commit.number == len(emulator.commits) == emulator.commits.total
