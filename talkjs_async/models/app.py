"""The app itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["App"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class App:
    """
    The app.

    Attributes:
        id: The app ID.
        custom: Data for themes and notifications, there as `{{ app.custom.key }}`.
        default_locale: IETF language tag. None when not set.
        extra: Keys that this version of the library does not know.

    Source: TalkJS docs, REST API, App (documented).
    """

    id: str
    custom: Mapping[str, str] = EMPTY
    default_locale: str | None = None
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> App:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _APP.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write the same JSON object."""
        return _APP.write(self)


_APP = Schema(
    App,
    id=("id", field_type.TEXT),
    custom=("custom", field_type.TEXT_MAP),
    default_locale=("defaultLocale", field_type.MAYBE_TEXT),
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class AppInput:
    """
    What to write about the app. Fields that are not given stay as they are.

    Attributes:
        custom: Data for themes and notifications; None removes it (inferred).
        default_locale: Must be a language that TalkJS supports.

    Raises:
        ConfigurationError: A value breaks its rule.
    """

    custom: Mapping[str, str | None] | None | Unset = attrs.field(
        default=UNSET, converter=must_be.as_map_or_null, validator=must_be.TEXT_MAP_OR_NULL
    )
    default_locale: str | Unset = attrs.field(default=UNSET, validator=must_be.ID)

    def to_wire(self) -> dict[str, Any]:
        """Write the given fields as TalkJS's JSON object."""
        return drop_unset({"custom": self.custom, "defaultLocale": self.default_locale})
