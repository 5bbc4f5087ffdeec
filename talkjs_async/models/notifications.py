"""Notifications: reminding participants of messages that they have not answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["Channel", "EmailSettings", "SmsSettings"]

Channel: TypeAlias = Literal["email", "sms"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class SmsSettings:
    """
    How a text message reads.

    Attributes:
        sms_template: May hold `{{app.name}}`, `{{sender.name}}`, `{{recipient.name}}` and
            `{{messages}}`.
    """

    sms_template: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset({"smsTemplate": self.sms_template})


@attrs.frozen(kw_only=True, weakref_slot=False)
class EmailSettings:
    """
    How an e-mail reads. The texts may hold the same placeholders as `SmsSettings.sms_template`.

    Attributes:
        subject, header, footer: Templates.
        inbox_url: Where the e-mail leads.
        extra: Further keys, spelled as TalkJS spells them; the documentation that was read breaks
            off.
    """

    subject: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    header: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    footer: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    inbox_url: str | Unset = attrs.field(default=UNSET, validator=must_be.TEXT)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, converter=must_be.sealed)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        known = {
            "subject": self.subject,
            "header": self.header,
            "footer": self.footer,
            "inboxUrl": self.inbox_url,
        }
        return {**self.extra, **drop_unset(known)}


def _as_channels(value: Iterable[Channel]) -> tuple[Channel, ...]:
    channels: tuple[Channel, ...] = must_be.as_tuple(value)
    return channels


def _are_channels(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(channel, str) and channel in {"email", "sms"} for channel in value)
    )


@attrs.frozen(kw_only=True, weakref_slot=False)
class NotificationInput:
    """
    Whom to remind, and how.

    Attributes:
        channels: "email", "sms" or both.
        recipients: User IDs. Not given: every participant with messages that wait for an answer.
        sms_settings, email_settings: Not given: the app's own.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, Notifications (documented).
    """

    channels: tuple[Channel, ...] = attrs.field(
        converter=_as_channels,
        validator=must_be.rule("must hold 'email', 'sms' or both.", _are_channels, null=False),
    )
    recipients: tuple[str, ...] | Unset = attrs.field(
        default=UNSET, converter=must_be.as_texts, validator=must_be.IDS
    )
    sms_settings: SmsSettings | Unset = attrs.field(
        default=UNSET, validator=must_be.instance_of(SmsSettings)
    )
    email_settings: EmailSettings | Unset = attrs.field(
        default=UNSET, validator=must_be.instance_of(EmailSettings)
    )

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        sms, email = self.sms_settings, self.email_settings
        return drop_unset(
            {
                "channels": self.channels,
                "recipients": self.recipients,
                "smsSettings": sms if sms is UNSET else sms.to_wire(),
                "emailSettings": email if email is UNSET else email.to_wire(),
            }
        )
