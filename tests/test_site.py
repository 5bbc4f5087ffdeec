"""The site has every page and every public name, and no link leads nowhere."""

from __future__ import annotations

import inspect
import re
import shlex
import types
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import talkjs_async
from talkjs_async import AsyncTalkJS, RetryPolicy, errors, pytest_plugin, telemetry
from talkjs_async.bulk import errors as bulk_errors
from talkjs_async.cli.commands import app, global_options
from talkjs_async.emulator import EVENT_TYPES, Switches
from talkjs_async.emulator.__main__ import parser_for
from talkjs_async.emulator.faults import FAULT_TYPES
from talkjs_async.emulator.routes import ROUTES
from tests.test_docs import load
from tests.test_public_surface import public_modules

ROOT = Path(__file__).parents[1]
site = load(ROOT / "docs" / "build_site.py")
api = load(ROOT / "docs" / "api.py")

PAGES: dict[str, str] = site.pages()
INTERNALS = re.compile(
    r"talkjs_async\.(cli|bulk\.formats"
    r"|emulator\.(admission|asgi|control|limits|markup|page|routes))(\.|$)"
)
"""Modules whose names only the command line, jobs and the emulator use among themselves."""


def test_the_navigation_has_every_page_once() -> None:
    listed = [path for _, _, path in site.navigation()]

    assert sorted(PAGES) == sorted(listed)


def test_the_pages_of_the_api_are_what_the_code_says() -> None:
    written = {path.name: path.read_text() for path in api.PAGES.glob("*.md")}

    expected = {name: api.text(page) for name, page in api.pages().items()}
    assert expected == written, "run `python docs/api.py`"


@pytest.mark.parametrize("module", [name for name in public_modules() if not INTERNALS.match(name)])
def test_every_public_name_is_on_a_page(module: str) -> None:
    shown = {name.rpartition(".")[2] for page in api.pages().values() for name in page.names}

    assert [] == [
        name for name in import_module(module).__all__ if name not in {*shown, "__version__"}
    ]


def test_every_name_of_the_package_is_used_or_told_of_besides_its_own_description() -> None:
    """In a guide, a tutorial, an explanation, an example or a table of the reference."""
    told = "\n".join(
        text for path, text in PAGES.items() if not path.startswith(("reference/api/", "project/"))
    )

    assert [] == [
        name
        for name in talkjs_async.__all__
        if name != "__version__" and not re.search(rf"(?<!\w){name}(?!\w)", told)
    ]


def test_every_public_function_is_told_of_besides_its_own_description() -> None:
    told = "\n".join(
        text for path, text in PAGES.items() if not path.startswith(("reference/api/", "project/"))
    )
    functions = {
        name
        for module in public_modules()
        if not INTERNALS.match(module)
        for name in import_module(module).__all__
        if inspect.isfunction(getattr(import_module(module), name))
    }

    assert {"read_messages", "get_talkjs"} <= functions
    assert [] == sorted(name for name in functions if not re.search(rf"(?<!\w){name}(?!\w)", told))


commands = load(ROOT / "docs" / "commands.py")


def options() -> list[str]:
    """Every option of every command."""
    functions = [global_options, *(function for _, function in commands.commands(app))]
    rows = "".join(commands._table(function) for function in functions)
    return re.findall(r"`(--[\w-]+)", rows)


def variables() -> list[str]:
    """Every environment variable of ours that the package names."""
    sources = "".join(path.read_text() for path in (ROOT / "talkjs_async").rglob("*.py"))
    return sorted(set(re.findall(r"\bTALKJS_[A-Z_]+[A-Z]\b", sources)))


def markers() -> list[str]:
    """Every marker of pytest that the plugin makes known."""
    config = SimpleNamespace(lines=[])
    config.addinivalue_line = lambda _, line: config.lines.append(line.partition("(")[0])
    pytest_plugin.pytest_configure(cast("pytest.Config", config))
    return list(config.lines)


COVERED = {
    "command": ("reference/cli.md", [name for name, _ in commands.commands(app)]),
    "option": ("reference/cli.md", options()),
    "option of the emulator": (
        "reference/cli.md",
        re.findall(r"--[\w-]+", parser_for("emulator").format_help()),
    ),
    "environment variable": ("reference/settings.md", variables()),
    "fixture": ("how-to/testing.md", pytest_plugin.__all__[1:]),
    "marker": ("how-to/testing.md", markers()),
    "setting": ("reference/settings.md", list(inspect.signature(AsyncTalkJS).parameters)),
    "setting of retries": (
        "reference/settings.md",
        list(inspect.signature(RetryPolicy).parameters),
    ),
    "error": ("reference/errors.md", [*errors.__all__, *bulk_errors.__all__]),
    "webhook event": ("reference/webhook-events.md", list(EVENT_TYPES)),
    "event of the client": (
        "how-to/watching.md",
        [each.__name__ for each in telemetry.TelemetryEvent.__args__],
    ),
    "fault": ("reference/faults.md", [fault.id for fault in FAULT_TYPES]),
    "switch": ("reference/switches.md", [switch.name for switch in Switches.table()]),
    "endpoint": ("reference/endpoints.md", [route.name for route in ROUTES]),
}


@pytest.mark.parametrize("kind", COVERED)
def test_everything_there_is_stands_on_its_page(kind: str) -> None:
    page, names = COVERED[kind]

    assert names
    assert [] == [
        name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", PAGES[page])
    ]


def shown_commands(text: str) -> list[str]:
    """The command lines on a page, in blocks and in sentences, without the program's name."""
    scripts = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = re.findall(r"^talkjs-async (.+?)(?: [|>&].*)?$", scripts, re.MULTILINE)
    return [*lines, *re.findall(r"`talkjs-async ([^`]+)`", text)]


def test_every_command_on_a_page_exists_with_its_options() -> None:
    names = {name for name, _ in commands.commands(app)}
    known = {*options(), *re.findall(r"--[\w-]+", commands._emulator()), "--help", "--version"}
    known |= {"--install-completion", "--show-completion", "--at", "--set"}
    wrong = []
    for path in PAGES.keys() - {"reference/cli.md", "project/changelog.md"}:
        for line in shown_commands(PAGES[path]):
            # An option of all commands may stand before the name, with its value.
            bare = re.sub(r"^(--(json|[\w-]+[= ]\S+) )+", "", line)
            words = shlex.split(bare, comments=True)
            first, both = " ".join(words[:1]), " ".join(words[:2])
            given = {word.partition("=")[0] for word in shlex.split(line) if word[:2] == "--"}
            is_command = first in names or both in names or first.startswith("--")
            if not is_command or given - known:
                wrong.append((path, line))

    assert [] == sorted(wrong)


def slug(heading: str) -> str:
    """The anchor of a heading, as Python-Markdown makes it."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def anchors(path: str) -> set[str]:
    text = re.sub(r"```.*?```", "", PAGES[path], flags=re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_every_link_on_the_site_leads_to_a_page_a_heading_or_a_file() -> None:
    broken = []
    for path, text in PAGES.items():
        prose = re.sub(r"(`{3,4}).*?\1", "", text, flags=re.DOTALL)
        for link, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)", prose):
            target = Path(path).parent.joinpath(link).as_posix() if link else path
            there = re.sub(r"[^/]+/\.\./", "", re.sub(r"[^/]+/\.\./", "", target))
            if there in PAGES:
                if anchor and anchor not in anchors(there):
                    broken.append((path, f"{link}#{anchor}"))
            elif not (ROOT / "docs" / there).exists():
                broken.append((path, link))

    assert [] == broken


def test_the_search_is_given_guides_before_the_reference_that_repeats_their_words() -> None:
    sections = [
        {
            "location": "reference/api/resources.html#talkjs_async.Messages.send",
            "level": 3,
            "title": "send",
            "text": "<p>Send one.</p><p>More.</p>",
            "path": ["Reference", "Resources"],
        },
        {
            "location": "reference/cli.html#list-messages",
            "level": 2,
            "title": "list messages",
            "text": "<p>List.</p>",
            "path": ["Reference", "Command line"],
        },
        {"location": "how-to/lists.html", "level": 1, "title": "Lists", "text": "", "path": []},
    ]

    guide, method, command = site.guides_first(sections)

    assert "how-to/lists.html" == guide["location"]
    assert ("API: send", ["Reference", "Messages"]) == (method["title"], method["path"])
    assert "<p>Send one." == method["text"]
    assert ("Command line", ["Reference", "list messages"]) == (command["title"], command["path"])


def test_a_public_name_is_described_in_the_twin_of_its_page() -> None:
    words = site._described("talkjs_async.RetryPolicy")

    assert words.startswith("## talkjs_async.RetryPolicy\n\n```python\nRetryPolicy(")
    assert inspect.getdoc(import_module("talkjs_async").RetryPolicy) in words


def test_every_directive_names_something_that_is_there() -> None:
    for page in api.pages().values():
        for name in page.names:
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(module), attribute), name
            assert not isinstance(getattr(import_module(module), attribute), types.ModuleType)


def test_every_test_that_a_page_names_exists() -> None:
    named = {
        (path, file, name)
        for path, text in PAGES.items()
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    }

    assert named
    assert [] == sorted(
        (path, f"{file}::{name}")
        for path, file, name in named
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text()
    )
