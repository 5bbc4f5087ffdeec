"""
Show the API on the site as its users see it.

Methods of resources are written as functions that build a request; `endpoint` and `listing` make
of them what is called. And a docstring may describe several arguments in one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import griffe

_BROKEN: Final = re.compile(r"^( +\w+(?:, \w+)*,)\n +(?=\w+(?:, \w+)*: )", re.MULTILINE)
"""Names that go on in the next line."""
_SEVERAL: Final = re.compile(r"( +)(\w+(?:, \w+)+): (.*)")


class Endpoints(griffe.Extension):
    """Sees every function and class that is read from the code."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Give the function of an endpoint the result of the method that it becomes."""
        _tell_apart(func)
        for decorator in func.decorators:
            name = decorator.callable_path.rpartition(".")[2]
            if name not in {"endpoint", "listing"} or not isinstance(
                func.returns, griffe.ExprSubscript
            ):
                continue
            item = func.returns.slice
            if name == "endpoint":
                func.labels.add("async")
                func.returns = item
            else:
                func.returns = griffe.ExprSubscript(griffe.ExprName("Records"), item)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Tell its attributes apart."""
        _tell_apart(cls)


def _tell_apart(documented: griffe.Object) -> None:
    if documented.docstring is not None:
        text = _BROKEN.sub(r"\1 ", documented.docstring.value)
        documented.docstring.value = "\n".join(_one_each(text.splitlines()))


def _one_each(lines: list[str]) -> Iterator[str]:
    """Yield the lines; where several names share a description, each gets it."""
    number = 0
    while number < len(lines):
        several = _SEVERAL.fullmatch(lines[number])
        end = number + 1
        if several is None:
            yield lines[number]
        else:
            indentation, names, words = several.groups()
            while end < len(lines) and lines[end].startswith(f"{indentation} "):
                end += 1
            for name in names.split(", "):
                yield f"{indentation}{name}: {words}"
                yield from lines[number + 1 : end]
        number = end
