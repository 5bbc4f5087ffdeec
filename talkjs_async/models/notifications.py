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
    How a text message reads. None means not given.

    Attributes:
        sms_template: May hold `{{app.name}}`, `{{sender.name}}`, `{{recipient.name}}` and
            `{{messages}}`.
    """

    sms_template: str | None | Unset = argument(
        "smsTemplate", must_be.TEXT.or_none(), default=UNSET
    )


@model
class EmailSettings(Input):
    """
    How an e-mail reads. The texts may hold the same placeholders as `SmsSettings.sms_template`;
    None means not given.

    Attributes:
        subject, header, footer: Templates.
        inbox_url: Where the e-mail leads.
        extra: Further keys, spelled as TalkJS spells them; the documentation that was read breaks
            off.
    """

    subject: str | None | Unset = argument("subject", must_be.TEXT.or_none(), default=UNSET)
    header: str | None | Unset = argument("header", must_be.TEXT.or_none(), default=UNSET)
    footer: str | None | Unset = argument("footer", must_be.TEXT.or_none(), default=UNSET)
    inbox_url: str | None | Unset = argument("inboxUrl", must_be.TEXT.or_none(), default=UNSET)
    extra: Mapping[str, Any] = attrs.field(
        default=EMPTY, converter=must_be.sealed, validator=must_be.KEYS
    )

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return {**self.extra, **super().to_wire()}
