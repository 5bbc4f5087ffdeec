"""Reading the options of a command, none of which is guessed."""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches

__all__ = ["parse"]


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; end the program, naming what may be meant, if one is unknown."""
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        given = next((one for one in unknown if one.startswith("--")), "").partition("=")[0]
        meant = _meant(parser, given)
        hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def _meant(parser: argparse.ArgumentParser, given: str) -> list[str]:
    """Return the options with this word in their name or for their value, or else similar ones."""
    values = {
        name: action.metavar if isinstance(action.metavar, str) else ""
        for action in parser._actions  # noqa: SLF001  # the usage, coloured or not, is the other way
        for name in action.option_strings
    }
    word = given.removeprefix("--").lower()
    exact = [
        name
        for name in values
        if name.startswith(given) or word in (*name.split("-"), values[name].lower())
    ]
    names = (exact or get_close_matches(given, values)) if word else []
    return [f"{name} {values[name]}".strip() for name in names]
