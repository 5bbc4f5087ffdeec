"""Themes: how the chat looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from talkjs_async.models import _arguments as must_be
from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import TEXT, TEXT_MAP
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["Theme"]


@model
class Theme(Model):
    """
    How the chat looks; read and written alike.

    Attributes:
        base: What the theme builds on, for example "default_v7". None in a request: the latest.
        files: File name ("X.template" or "layout.json") to its text. TalkJS ignores other names.

    Raises:
        ConfigurationError: A value breaks its rule.

    Source: TalkJS docs, REST API, App (documented).
    """

    base: str | None = wire("base", TEXT, default=None, rule=must_be.ID_OR_NULL)
    files: Mapping[str, str] = wire("files", TEXT_MAP, default=EMPTY, rule=must_be.TEXT_MAP)

    def to_wire(self) -> dict[str, Any]:
        """Write TalkJS's JSON object, without a missing *base*."""
        return {k: v for k, v in super().to_wire().items() if k != "base" or v is not None}
