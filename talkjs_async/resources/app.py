"""
The app itself.

Source: TalkJS documentation, REST API, App (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import UNSET, Unset
from talkjs_async.models._bodies import AppInput
from talkjs_async.models.app import App

__all__ = ["AppSettings"]


class AppSettings(Resource):
    """The app itself."""

    __slots__ = ()

    @endpoint
    def get(self) -> Call[App]:
        """Read the app's custom data and default language."""
        return Call(method="GET", path="", decode=App.from_wire)

    @endpoint
    def update(
        self,
        *,
        custom: Mapping[str, str | None] | None | Unset = UNSET,
        default_locale: str | Unset = UNSET,
    ) -> Call[None]:
        """
        Change the given settings of the app.

        Args:
            custom: For themes and notifications, there as `{{ app.custom.key }}`. Merged key by
                key; None clears it (both inferred).
            default_locale: A language that TalkJS supports, as an IETF tag.

        Raises:
            BadRequest: TalkJS does not know the language.
        """
        settings = AppInput(custom=custom, default_locale=default_locale)
        return Call(method="PUT", path="", body=settings.to_wire(), decode=nothing)
