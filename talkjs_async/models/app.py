"""The app itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import JSON, TEXT, mapped
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["App"]


@model
class App(Model):
    """
    The app.

    Attributes:
        id: The app ID.
        custom: Data for themes and notifications, there as `{{ app.custom.key }}`. Texts; by third
            parties also objects of one text per language, so the values are any JSON.
        default_locale: IETF language tag. None when not set.

    Source: TalkJS docs, REST API, App (documented).
    """

    id: str = wire("id", TEXT)
    custom: Mapping[str, Any] = wire("custom", mapped(JSON), default=EMPTY, hash=False)
    default_locale: str | None = wire("defaultLocale", TEXT, default=None)
