"""
HTML that cannot be broken by what it shows.

Everything on the page comes out of requests and counts as hostile. `fill` escapes every value
it puts into a template, unless the value is `Html` already, which only `fill` and `join` make.
"""

from collections.abc import Iterable
from html import escape
from string import Formatter
from typing import Any


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


class _Escaping(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        return text if isinstance(value, Html) else escape(text)


_FORMATTER = _Escaping()


def fill(template: str, **values: Any) -> Html:
    """Put *values* into a template, escaped. Its own braces are written double."""
    return Html(_FORMATTER.vformat(template, (), values))


def join(parts: Iterable[Html]) -> Html:
    """Put pieces of HTML one behind the other."""
    return Html("".join(parts))
