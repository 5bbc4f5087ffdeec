"""
Bodies and paths of requests that callers make from arguments, never as objects.

Called by the resources and by bulk jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from talkjs_async._core.wire import UNSET, Unset, given_milliseconds, is_id
from talkjs_async.errors import ConfigurationError
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Input, argument, model
from talkjs_async.models.notifications import Channel, EmailSettings, SmsSettings
from talkjs_async.models.participants import Access, Notify


@model
class AppInput(Input):
    """
    What to write about the app. Fields that are not given stay as they are.

    Attributes:
        custom: Data for themes and notifications; None removes it (inferred).
        default_locale: Must be a language that TalkJS supports.

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    custom: Mapping[str, str | None] | None | Unset = argument(
        "custom", must_be.TEXT_MAP_OR_NULL, default=UNSET
    )
    default_locale: str | Unset = argument("defaultLocale", must_be.ID, default=UNSET)


def _is_read_mark(value: Any) -> bool:
    if type(value) is int and value == 0:
        return True
    return must_be.is_point_in_time(value) and given_milliseconds(value) >= 0


READ_MARK: Final = must_be.Rule(
    f"{must_be.POINT_IN_TIME.says} It must not be before 1970; 0 is the beginning.",
    _is_read_mark,
    null=False,
)
"""Up to when something was read."""


@model
class ParticipationInput(Input):
    """
    What to write about a participation.

    A field that is not given becomes "ReadWrite" or True by `participants.add` and stays as it is
    by `participants.update` (documented).

    Attributes:
        access: "ReadWrite", "Read" or "None". "None" is for `patch` only (documented).
        notify: True, False or "MentionsOnly".
        read_until: The moment up to which the user has read; for `patch` only (seen in code).

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    access: Access | Unset = argument(
        "access", must_be.one_of(("ReadWrite", "Read", "None")), default=UNSET
    )
    notify: Notify | Unset = argument(
        "notify", must_be.one_of((True, False, "MentionsOnly")), default=UNSET
    )
    read_until: datetime | int | Unset = argument(
        "readUntil", READ_MARK, default=UNSET, write=given_milliseconds
    )


@model
class MessageEdit(Input):
    """
    What to change about a message. Give at least one.

    Attributes:
        text: Replaces what it says; may hold markup.
        custom: Merged key by key; a key with None goes away; None as a whole removes all (all
            inferred).

    Raises:
        ConfigurationError: A value breaks its rule, or nothing is given.

    Source: TalkJS's own programs (seen in code).
    """

    text: str | Unset = argument("text", must_be.TEXT, default=UNSET)
    custom: Mapping[str, str | None] | None | Unset = argument(
        "custom", must_be.TEXT_MAP_OR_NULL, default=UNSET
    )

    def __attrs_post_init__(self) -> None:
        if self.text is UNSET and self.custom is UNSET:
            raise ConfigurationError("text", "or custom must be given: there is nothing to change.")


@model
class FileDetails(Input):
    """
    What TalkJS cannot find out about a file by itself.

    Attributes:
        filename: With extension.
        subtype: "image", "video", "audio" or "voice". Not given: any other file.
        width, height: Pixels.
        duration: Seconds.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS's own programs and its SDK (seen in code).
    """

    filename: str = argument("filename", must_be.ID)

    subtype: Literal["image", "video", "audio", "voice"] | Unset = argument(
        "subtype", must_be.one_of(("image", "video", "audio", "voice")), default=UNSET
    )
    width: float | Unset = argument("width", must_be.NOT_NEGATIVE, default=UNSET)
    height: float | Unset = argument("height", must_be.NOT_NEGATIVE, default=UNSET)
    duration: float | Unset = argument("duration", must_be.NOT_NEGATIVE, default=UNSET)

    def to_wire(self) -> dict[str, str]:
        """Write the given details as fields of a form: all of them are texts."""
        return {key: str(value) for key, value in super().to_wire().items()}


@model
class PresenceQuery(Input):
    """
    Which online users to ask for. None means not given, except in *selected_conversation_id*.

    Attributes:
        include_background_sessions: True: all users online. Else only users with a visible chat.
        selected_conversation_id: Only users who look at this conversation; None: at none of them.
        has_focus, is_typing: Only users whose chat has the focus (or not), who type (or not).
        user_ids: Only these users.
        expand_user: Put the user objects into the answer (seen in a public program; they end up in
            `Presence.extra`).

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, User presence (documented).
    """

    include_background_sessions: bool | None | Unset = argument(
        "includeBackgroundSessions", must_be.FLAG.or_none(), default=UNSET
    )
    selected_conversation_id: str | None | Unset = argument(
        "selectedConversationId", must_be.ID_OR_NULL, default=UNSET
    )
    has_focus: bool | None | Unset = argument("hasFocus", must_be.FLAG.or_none(), default=UNSET)
    is_typing: bool | None | Unset = argument("isTyping", must_be.FLAG.or_none(), default=UNSET)
    user_ids: Iterable[str] | None | Unset = argument(
        "userIds", must_be.IDS.or_none(), default=UNSET
    )
    expand_user: bool | None | Unset = argument("expandUser", must_be.FLAG.or_none(), default=UNSET)


def _are_channels(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(channel, str) and channel in {"email", "sms"} for channel in value)
    )


_CHANNELS: Final = must_be.Rule(
    "must hold 'email', 'sms' or both.", _are_channels, null=False, convert=must_be.as_tuple
)


@model
class NotificationInput(Input):
    """
    Whom to remind, and how. None means not given.

    Attributes:
        channels: "email", "sms" or both.
        recipients: User IDs. Not given: every participant with messages that wait for an answer.
        sms_settings, email_settings: Not given: the app's own.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, Notifications (documented).
    """

    channels: Iterable[Channel] = argument("channels", _CHANNELS)
    recipients: Iterable[str] | None | Unset = argument(
        "recipients", must_be.IDS.or_none(), default=UNSET
    )
    sms_settings: SmsSettings | None | Unset = argument(
        "smsSettings",
        must_be.instance_of(SmsSettings).or_none(),
        default=UNSET,
        write=SmsSettings.to_wire,
    )
    email_settings: EmailSettings | None | Unset = argument(
        "emailSettings",
        must_be.instance_of(EmailSettings).or_none(),
        default=UNSET,
        write=EmailSettings.to_wire,
    )


LONGEST_CUSTOM_EMOJI: Final = 50


def check_emoji(emoji: str) -> str:
    """
    Check an emoji before it is sent.

    Args:
        emoji: One Unicode emoji, or a custom one as ":name:" of at most 50 characters, the colons
            included (documented for TalkJS's SDK).

    Returns:
        The same text.

    Raises:
        ConfigurationError: It is empty, no text, or a custom emoji that breaks the rule. Whether a
            text is one Unicode emoji is left to TalkJS, which may know newer ones.
    """
    if not is_id(emoji):
        raise ConfigurationError("emoji", "must be one emoji, or a custom one as ':name:'.")
    custom = emoji.startswith(":") or emoji.endswith(":")
    if custom and not (len(emoji) > 2 and emoji[0] == emoji[-1] == ":" and ":" not in emoji[1:-1]):
        raise ConfigurationError("emoji", "must have one colon at each end if it is a custom one.")
    if custom and len(emoji) > LONGEST_CUSTOM_EMOJI:
        raise ConfigurationError(
            "emoji", f"must have at most {LONGEST_CUSTOM_EMOJI} characters, colons included."
        )
    return emoji
