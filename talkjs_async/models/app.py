"""The app itself."""

from __future__ import annotations

from collections.abc import Mapping

from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import TEXT, TEXT_MAP
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["App"]


@model
class App(Model):
    """
    The app.

    Attributes:
        id: The app ID.
        custom: Data for themes and notifications, there as `{{ app.custom.key }}`.
        default_locale: IETF language tag. None when not set.

    Source: TalkJS docs, REST API, App (documented).
    """

    id: str = wire("id", TEXT)
    custom: Mapping[str, str] = wire("custom", TEXT_MAP, default=EMPTY)
    default_locale: str | None = wire("defaultLocale", TEXT, default=None)
