"""
Notifications: reminding people of messages that they have not answered.

Source: TalkJS documentation, REST API, Notifications (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Iterable

from talkjs_async._core.call import Call, nothing, path
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async.models._bodies import NotificationInput
from talkjs_async.models.notifications import Channel, EmailSettings, SmsSettings

__all__ = ["Notifications"]


class Notifications(Resource):
    """Reminding people of messages that they have not answered."""

    __slots__ = ()

    @endpoint
    def send(
        self,
        conversation_id: str,
        *,
        channels: Iterable[Channel],
        recipients: Iterable[str] | None = None,
        sms_settings: SmsSettings | None = None,
        email_settings: EmailSettings | None = None,
    ) -> Call[None]:
        """
        Notify participants of their unanswered messages once more.

        Each call notifies: it is not repeated when its outcome is unknown.

        Args:
            conversation_id: The conversation.
            channels: "email", "sms" or both.
            recipients: User IDs. None: every participant with unanswered messages; between two
                people, the one who did not write last.
            sms_settings, email_settings: Texts of this notification. None: the app's own.

        Raises:
            OutcomeUnknown: The request left and no answer came: they may have been notified.
        """
        notification = NotificationInput(
            channels=channels,
            recipients=recipients,
            sms_settings=sms_settings,
            email_settings=email_settings,
        )
        return Call(
            method="POST",
            path=path("conversations", conversation_id=conversation_id) + "/notifications",
            body=notification.to_wire(),
            decode=nothing,
            idempotent=False,
        )
