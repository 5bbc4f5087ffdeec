"""What users may rely on: each public module says it in `__all__`; the list changes on purpose."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import talkjs_async

LIST = Path(__file__).with_name("public_surface.txt")


FOLDERS = {"talkjs_async.bulk.formats", "talkjs_async.models", "talkjs_async.resources"}
"""They hold modules and no names."""


def public_modules() -> list[str]:
    """The modules without an underscore anywhere in their path."""
    found = [
        module.name
        for module in pkgutil.walk_packages(talkjs_async.__path__, "talkjs_async.")
        if not any(part.startswith("_") for part in module.name.split("."))
    ]
    return ["talkjs_async", *(name for name in found if name not in FOLDERS)]


def members(value: Any) -> list[str]:
    """What a class of ours defines, or has from a base that users do not see."""
    if not isinstance(value, type):
        return []
    defining = [value, *(base for base in value.__mro__[1:] if is_internal(base))]
    names = {name for each in defining for name in {**inspect.get_annotations(each), **vars(each)}}
    return sorted(name for name in names if not name.startswith("_"))


def is_internal(kind: type) -> bool:
    """Whether a class of ours has an underscore in its name or in the path of its module."""
    path = f"{kind.__module__}.{kind.__name__}"
    return path.startswith("talkjs_async.") and "._" in path


def surface() -> list[str]:
    """One line per public name, with what hangs on it."""
    lines: list[str] = []
    for module_name in public_modules():
        module: ModuleType = import_module(module_name)
        for name in sorted(module.__all__):
            # The root only names what has its home elsewhere.
            hanging = [] if module is talkjs_async else members(getattr(module, name))
            lines.append(" ".join([f"{module_name}.{name}", *hanging]))
    return lines


@pytest.mark.parametrize("module_name", public_modules())
def test_a_public_module_says_what_of_it_is_public(module_name: str) -> None:
    module = import_module(module_name)

    assert [] == [name for name in module.__all__ if not hasattr(module, name)]
    assert [] == [name for name in module.__all__ if name.startswith("_") and name[:2] != "__"]


def test_the_public_surface_is_the_one_that_is_written_down() -> None:
    """Write it anew with `python -m tests.test_public_surface` when it changes on purpose."""
    assert LIST.read_text().splitlines() == surface()


if __name__ == "__main__":
    LIST.write_text("\n".join(surface()) + "\n")
