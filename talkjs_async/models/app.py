"""The app itself, its themes, and anonymous test projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async._core.wire import UNSET, Unset, drop_unset
from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema


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


@attrs.frozen(kw_only=True, weakref_slot=False)
class Theme:
    """
    How the chat looks; read and written alike.

    Attributes:
        base: What the theme builds on, for example "default_v7". None in a request: the latest.
        files: File name ("X.template" or "layout.json") to its text. TalkJS ignores other names.
        extra: Keys that this version of the library does not know.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, App (documented).
    """

    base: str | None = attrs.field(default=None, validator=must_be.ID_OR_NULL)
    files: Mapping[str, str] = attrs.field(
        default=EMPTY, converter=must_be.sealed, validator=must_be.TEXT_MAP
    )
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False)

    @classmethod
    def from_wire(cls, data: Any) -> Theme:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _THEME.read(data)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object."""
        fields = _THEME.write(self)
        if self.base is None:
            del fields["base"]
        return fields


_THEME = Schema(Theme, base=("base", field_type.MAYBE_TEXT), files=("files", field_type.TEXT_MAP))


def read_themes(data: Any) -> Mapping[str, Theme]:
    """Read the map from theme names to themes. Raises DecodeError, which names the place."""
    return _THEMES(data)


_THEMES = field_type.map_of(Theme.from_wire)


@attrs.frozen(kw_only=True, weakref_slot=False)
class AnonymousProject:
    """
    A test project without an account.

    Attributes:
        app_id: Its app ID.
        claim_url: Where a person makes it their own.
        access_token: Reads the project again; neither a REST key nor a user token. None in the
            answer to that.
        secret_key: Signs REST calls. None in the answer to the creation.
        extra: Keys that this version of the library does not know.

    Neither secret is part of its repr.

    Source: TalkJS's published skill for coding tools, 2026 (documented).
    """

    app_id: str
    claim_url: str | None = None
    access_token: str | None = attrs.field(default=None, repr=False)
    secret_key: str | None = attrs.field(default=None, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)

    @classmethod
    def from_wire(cls, data: Any) -> AnonymousProject:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _ANONYMOUS.read(data)


_ANONYMOUS = Schema(
    AnonymousProject,
    app_id=("appId", field_type.TEXT),
    claim_url=("claimUrl", field_type.MAYBE_TEXT),
    access_token=("accessToken", field_type.MAYBE_TEXT),
    secret_key=("secretKey", field_type.MAYBE_TEXT),
)
