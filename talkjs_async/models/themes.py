"""Themes: how the chat looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async.models import _arguments as must_be
from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["Theme"]


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
