"""Notifications: reminding participants of messages that they have not answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from talkjs_async._core.wire import UNSET, Unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, argument, model
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["Channel", "EmailSettings", "SmsSettings"]

Channel: TypeAlias = Literal["email", "sms"]


@model
class SmsSettings(Input):
    """
    How a text message reads.

    Attributes:
        sms_template: May hold `{{app.name}}`, `{{sender.name}}`, `{{recipient.name}}` and
            `{{messages}}`.
    """

    sms_template: str | Unset = argument("smsTemplate", must_be.TEXT, default=UNSET)


@model
class EmailSettings(Input):
    """
    How an e-mail reads. The texts may hold the same placeholders as `SmsSettings.sms_template`.

    Attributes:
        subject, header, footer: Templates.
        inbox_url: Where the e-mail leads.
        extra: Further keys, spelled as TalkJS spells them; the documentation that was read breaks
            off.
    """

    subject: str | Unset = argument("subject", must_be.TEXT, default=UNSET)
    header: str | Unset = argument("header", must_be.TEXT, default=UNSET)
    footer: str | Unset = argument("footer", must_be.TEXT, default=UNSET)
    inbox_url: str | Unset = argument("inboxUrl", must_be.TEXT, default=UNSET)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, converter=must_be.sealed)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return {**self.extra, **super().to_wire()}
