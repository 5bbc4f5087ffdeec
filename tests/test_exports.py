"""The front page of the package: what it names, what it loads, which version it says."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import talkjs_async

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MOST_MODULES = 120
NEVER_LOADED = {
    *("httpx", "httpx2", "tenacity", "jwt", "aiohttp", "anyio", "asyncio", "trio", "ssl"),
    *(
        "attrs",
        "attr",
        "orjson",
        "redis",
        "fastapi",
        "starlette",
        "typer",
        "uvicorn",
        "opentelemetry",
    ),
}


def imports_for_type_checkers() -> dict[str, str]:
    """Name to module, from the block that only type checkers read."""
    tree = ast.parse(Path(talkjs_async.__file__).read_text())
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.name: str(node.module).removeprefix("talkjs_async.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def loaded_by(statement: str) -> set[str]:
    """The modules of a fresh interpreter after *statement*."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_the_three_lists_of_names_agree() -> None:
    checked = imports_for_type_checkers()

    assert checked == talkjs_async._HOMES
    assert sorted([*checked, "__version__"]) == sorted(talkjs_async.__all__)
    assert sorted(talkjs_async.__all__) == dir(talkjs_async)


def test_every_name_leads_to_its_home() -> None:
    for name, home in talkjs_async._HOMES.items():
        module = import_module(f"talkjs_async.{home}")

        assert getattr(module, name) is getattr(talkjs_async, name)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    assert not hasattr(talkjs_async, "SyncTalkJS")


def test_importing_the_package_loads_next_to_nothing() -> None:
    loaded = loaded_by("import talkjs_async")

    assert len(loaded) <= MOST_MODULES
    assert set() == NEVER_LOADED & {name.partition(".")[0] for name in loaded}


def test_catching_errors_loads_no_client() -> None:
    loaded = loaded_by("from talkjs_async import NotFound")

    assert set() == NEVER_LOADED & {name.partition(".")[0] for name in loaded}


def test_the_client_loads_no_extra_and_no_http_library() -> None:
    loaded = loaded_by("from talkjs_async import AsyncTalkJS")

    tops = {name.partition(".")[0] for name in loaded}
    assert set() == tops & {"httpx", "httpx2", "tenacity", "jwt", "aiohttp", "redis", "uvicorn"}


def test_the_version_is_said_once_and_the_changelog_knows_it() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[?v?(\d+\.\d+\.\d+)\]?", changelog, re.MULTILINE)
    newest = releases[0] if releases else None

    assert version("talkjs-async") == talkjs_async.__version__
    # What is not released yet stands under "Unreleased", and the version is already the next one.
    assert newest == talkjs_async.__version__ or "## Unreleased\n" in changelog
    assert releases == sorted(releases, key=lambda v: tuple(map(int, v.split("."))), reverse=True)
