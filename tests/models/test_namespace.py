"""A public module of models holds what users may use, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkjs_async import models

PUBLIC = [
    module
    for root in models.__path__
    for module in Path(root).glob("*.py")
    if module.stem[0] != "_"
]


def names_in(module: ast.Module) -> Iterator[str]:
    """The names that a module makes, its imports left aside."""
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.stem)
def test_every_name_that_is_not_public_has_an_underscore(module: Path) -> None:
    tree = ast.parse(module.read_text())
    [public] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]

    assert sorted(public) == sorted(n for n in names_in(tree) if not n.startswith("_"))
