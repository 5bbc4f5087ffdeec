"""Notifications: every rule, against the emulator."""

from __future__ import annotations

import pytest

from talkjs_async import AsyncTalkJS, BadRequest, NotFound, OutcomeUnknown
from talkjs_async.emulator import Emulator
from talkjs_async.models.notifications import EmailSettings, SmsSettings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]

NOTIFY = "POST /conversations/*/notifications"


def notified(emulator: Emulator) -> list[str | None]:
    return [commit.user_id for commit in emulator.commits.of("notification.triggered")]


async def test_whoever_has_not_answered_is_notified(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    await talkjs.messages.send("chat", sender="alice", text="hello?")

    await talkjs.notifications.send("chat", channels=["email", "sms"])

    assert ["bob"] == notified(emulator)


async def test_recipients_and_texts_may_be_given(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    await talkjs.notifications.send(
        "chat",
        channels={"sms"},
        recipients=["alice"],
        sms_settings=SmsSettings(sms_template="{{sender.name}}: {{messages}}"),
        email_settings=EmailSettings(
            subject="Unread", inbox_url="https://example.com", extra={"sendCopy": True}
        ),
    )

    assert ["alice"] == notified(emulator)


async def test_a_stranger_cannot_be_notified(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(BadRequest, match="carol"):
        await talkjs.notifications.send("chat", channels=["email"], recipients=["carol"])
    with pytest.raises(NotFound):
        await talkjs.notifications.send("nowhere", channels=["email"])


@pytest.mark.parametrize("fault", ["drop-after-commit", "reset-after-commit", "stall-after-commit"])
async def test_nobody_is_notified_twice_when_an_answer_is_lost(
    talkjs: AsyncTalkJS, emulator: Emulator, fault: str
) -> None:
    emulator.faults.add(fault, on=NOTIFY)

    with pytest.raises(OutcomeUnknown):
        await talkjs.notifications.send("chat", channels=["email"], recipients=["bob"])

    assert ["bob"] == notified(emulator)


@pytest.mark.parametrize("fault", ["refuse", "return-503", "return-429-retry-after-1"])
async def test_what_was_not_done_is_repeated(
    talkjs: AsyncTalkJS, emulator: Emulator, fault: str
) -> None:
    emulator.faults.add(fault, on=NOTIFY, first=2)

    await talkjs.notifications.send("chat", channels=["email"], recipients=["bob"])

    assert ["bob"] == notified(emulator)
