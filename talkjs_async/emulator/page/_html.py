"""
HTML that cannot be broken by what it shows.

Everything on the page comes out of requests and counts as hostile. `fill` escapes every value
it puts into a template, unless the value is `Html` already, which only `fill` and `join` make.
"""

import json
from collections.abc import Iterable, Mapping
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


def button(
    label: object,
    call: str,
    arguments: Mapping[str, object] | None = None,
    *,
    pressed: bool | None = None,
) -> Html:
    """
    Return a button that calls the control API.

    Args:
        label: What is on it.
        call: Method and path, such as `POST clock`.
        arguments: The body.
        pressed: Whether it is the one in force. None: it is not that kind of button.
    """
    return fill(
        '<button data-call="{call}" data-with="{arguments}"{pressed}>{label}</button> ',
        call=call,
        arguments=json.dumps(arguments or {}),
        pressed="" if pressed is None else fill(' aria-pressed="{on}"', on=str(pressed).lower()),
        label=label,
    )
