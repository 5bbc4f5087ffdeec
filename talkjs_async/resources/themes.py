"""
Themes: how the chat looks.

Source: TalkJS documentation, REST API, App (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from talkjs_async._core.call import Call, nothing
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async._core.wire import checked_word
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.models._answers import read_themes
from talkjs_async.models.themes import Theme

__all__ = ["Themes"]


class Themes(Resource):
    """How the chat looks."""

    __slots__ = ()

    @endpoint
    def get(self) -> Call[Mapping[str, Theme]]:
        """Read all themes, by name."""
        return Call(method="GET", path="/themes", decode=read_themes)

    @endpoint
    def update(
        self, themes: Mapping[str, Theme | None], *, method: Literal["PUT", "PATCH"] = "PUT"
    ) -> Call[None]:
        """
        Overwrite the given themes as a whole, and leave the others as they are.

        Args:
            themes: Name to theme; None deletes a theme (inferred from the documentation's drift).
            method: That there is such a call is documented, its method could not be read. Both are
                guesses; PUT is what the app's other settings take.

        Raises:
            BadRequest: A theme that TalkJS refuses.
        """
        checked_word("method", method, ("PUT", "PATCH"))
        if not isinstance(themes, Mapping) or not themes:
            raise ConfigurationError("themes", "must map at least one name to a Theme or None.")
        for name, theme in themes.items():
            if not isinstance(name, str) or not isinstance(theme, Theme | None):
                raise ConfigurationError(f"themes[{shown(name)}]", "must be a Theme or None.")
        body = {name: None if theme is None else theme.to_wire() for name, theme in themes.items()}
        return Call(method=method, path="/themes", body=body, decode=nothing)
