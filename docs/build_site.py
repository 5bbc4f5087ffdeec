"""
Build the site into `site/`: `nox -s docs`, or `python docs/build_site.py` with the group `docs`.

Collects the pages (docs, examples, the project's own files), has Zensical make HTML of them, puts a
Markdown twin beside each page and an `llms.txt` above them, and refuses what is wrong: a warning,
a link or a picture that leads nowhere, a page that loads something from the network.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
STAGED: Final = ROOT / "build" / "pages"
SITE: Final = ROOT / "site"

PROJECT_FILES: Final = {
    name: f"project/{name.lower()}" for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}
_NAMED: Final = ("reference/api/", "reference/cli", "project/changelog")
"""What is found by its names, not by its words."""
_ONE_BY_ONE: Final = ("reference/cli", "reference/webhook-events")
"""Pages with a section for each command or event, which has its name for a heading."""
_ORDER: Final = ("index", "how-to/", "tutorial/", "explanation/", "examples/", "reference/", "")

_DIRECTIVE: Final = re.compile(r"^::: (\S+)$", re.MULTILINE)
_LOADED: Final = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]+"(https?:[^"]+)')
_LINK: Final = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")
_MADE: Final = {"__pycache__", "node_modules", ".pytest_cache"}
_LANGUAGES: Final = {".py": "python", ".js": "javascript", ".toml": "toml", ".yaml": "yaml"}


def pages() -> dict[str, str]:
    """Return the Markdown of every page by its path on the site."""
    found = {}
    for source, path in sorted(_sources().items()):
        file = ROOT / source
        text = file.read_text("utf-8") if file.suffix == ".md" else _example(file)
        found[path] = _with_links_of_the_site(text, source, path)
    return found


def navigation() -> Iterator[tuple[str, str, str]]:
    """Yield section, title and path of every page in the navigation, in its order."""
    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    for entry in settings["project"]["nav"]:
        for section, below in entry.items():
            for listed in [{section: below}] if isinstance(below, str) else below:
                for title, path in listed.items():
                    yield section, title, path


def _sources() -> dict[str, str]:
    """The path on the site of everything in the repository that is a page of it."""
    found = {f"docs/{path}": path for path in _below(DOCS, "*.md")}
    for file in sorted((ROOT / "examples").iterdir()):
        if not file.name.startswith(("_", ".")):
            found[f"examples/{file.name}"] = f"examples/{file.stem}.md"
    return found | {name: path for name, path in PROJECT_FILES.items() if (ROOT / name).exists()}


def _below(folder: Path, pattern: str) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in sorted(folder.rglob(pattern))]


def _example(path: Path) -> str:
    """Make a page of an example: a program, or a folder."""
    if path.is_file():
        return f"# Example: {path.name}\n\n{_fenced(path)}"
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not _MADE.intersection(file.relative_to(path).parts)
    ]
    parts = [f"## {file.relative_to(path).as_posix()}\n\n{_fenced(file)}" for file in files]
    return "\n".join([f"# Example: {path.name}\n", *parts])


def _fenced(file: Path) -> str:
    return f"````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text('utf-8').rstrip()}\n````\n"


def _with_links_of_the_site(text: str, source: str, path: str) -> str:
    """Let links between files of the repository lead to their pages."""
    sources = _sources()

    def to_page(link: re.Match[str]) -> str:
        target = os.path.normpath((Path(source).parent / link[2]).as_posix())
        on_site = sources.get(target, target.removeprefix("docs/"))
        return link[1] + os.path.relpath(on_site, Path(path).parent.as_posix())

    return _LINK.sub(to_page, text)


def stage() -> None:
    """Lay out what Zensical reads."""
    shutil.rmtree(STAGED, ignore_errors=True)
    shutil.copytree(DOCS, STAGED, ignore=shutil.ignore_patterns("*.py", "*.md", "__pycache__"))
    for path, text in pages().items():
        file = STAGED / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def make_html() -> list[str]:
    """Have Zensical build the site; return its complaints."""
    shutil.rmtree(SITE, ignore_errors=True)
    ran = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
        text=True,
    )
    sys.stdout.write(ran.stdout)
    complaints = [line for line in ran.stdout.splitlines() if line.startswith("griffe: ")]
    return complaints + ([f"zensical ended with {ran.returncode}"] if ran.returncode else [])


def let_search_work_from_a_folder() -> None:
    """
    Give the search its worker when the site is opened as files.

    Browsers start no worker from a file, so Zensical's pages load a substitute from the network.
    They get one of their own: the worker's program as a text.
    """
    (worker,) = (SITE / "assets" / "javascripts" / "workers").glob("search.*.js")
    program = json.dumps(worker.read_text("utf-8")).replace("</", r"<\/")
    (SITE / "search-worker.js").write_text(
        f"""\
if (location.protocol === "file:") {{
  const Original = Worker, program = {program};
  window.Worker = class {{
    constructor() {{
      return new Original(URL.createObjectURL(new Blob([program])));
    }}
  }};
}}
""",
        "utf-8",
    )
    for file in SITE.rglob("*.html"):
        own = os.path.relpath(SITE / "search-worker.js", file.parent)
        text = file.read_text("utf-8")
        file.write_text(text.replace("https://unpkg.com/iframe-worker/shim", own), "utf-8")


def let_guides_come_first() -> None:
    """Give the search an index in which guides come before the reference."""
    index, script = SITE / "search.json", SITE / "search.js"
    whole = index.read_text("utf-8")
    content = json.loads(whole)
    content["items"] = guides_first(content["items"])
    ordered = json.dumps(content, ensure_ascii=False)
    index.write_text(ordered, "utf-8")
    script.write_text(script.read_text("utf-8").replace(whole, ordered), "utf-8")


def guides_first(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Rewrite the sections of the index: guides outrank the reference that repeats their words.

    The search orders what it finds by where the words are (title, path, text), how many of them are
    there together, how near to the beginning, and last by the order of the index. The heading of a
    name in the reference is nothing but such words, so it goes into the path, or is kept whole by
    the separator that `zensical.toml` sets. Of what is said about a name, one paragraph is known.
    """
    for section in sections:
        location, title = section["location"], section["title"]
        if location.startswith(_NAMED):
            section["text"] = section["text"].partition("</p>")[0]
        if location.startswith("project/changelog.html#"):
            section["text"] = ""
        if location.startswith("reference/api/"):
            # The class of a method tells it from others; the title of its page tells nothing.
            owner = location.partition("#")[2].removeprefix("talkjs_async.").rpartition(".")[0]
            section["path"] = ["Reference", owner] if owner else ["Reference"]
            section["title"] = f"API: {title.removeprefix('API: ')}"
        elif location.startswith(_ONE_BY_ONE) and section["level"] > 1:
            section["title"] = section["path"][-1]
            section["path"] = ["Reference", title]
        elif location.startswith("reference/"):
            section["path"] = ["Reference"]
    return sorted(sections, key=lambda section: _place(section["location"]))


def _place(location: str) -> int:
    """Count the sections of the site that come first."""
    return next(place for place, start in enumerate(_ORDER) if location.startswith(start))


def write_twins() -> None:
    """Put a Markdown twin beside each page, and `llms.txt`, which lists them."""
    texts = pages()
    lines = ["# talkjs-async", "", "> The async Python SDK for the TalkJS REST API."]
    last = ""
    for section, title, path in navigation():
        text = re.sub(
            r"^::: (\S+)$", lambda found: _described(found[1]), texts[path], flags=re.MULTILINE
        )
        (SITE / path).write_text(text, "utf-8")
        if section != last:
            lines += ["", f"## {section}", ""]
            last = section
        lines.append(f"- [{title}]({path}): {_first_sentence(texts[path])}")
    (SITE / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")


def _first_sentence(text: str) -> str:
    """Find the first sentence of a page that is neither title, picture nor code."""
    for paragraph in re.sub(r"(`{3,4}).*?\1", "", text, flags=re.DOTALL).split("\n\n"):
        words = " ".join(paragraph.split())
        if words and not words.startswith(("#", "!", "|", "```", "Written by")):
            plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", words)
            return re.split(r"(?<=[.:])\s", plain)[0].rstrip(":")
    # A program says it in its docstring.
    return next(iter(re.findall(r'"""\s*(.+?)["\n]', text)), "")


def _described(name: str) -> str:
    """Describe a public name in Markdown: what a directive of mkdocstrings stands for."""
    module, _, attribute = name.rpartition(".")
    value = getattr(import_module(module), attribute)
    parts = [f"## {name}\n\n{_signature_and_words(attribute, value)}"]
    if inspect.isclass(value):
        for member, method in vars(value).items():
            if not member.startswith("_") and (
                inspect.isfunction(method) or isinstance(method, property)
            ):
                parts.append(f"### {attribute}.{member}\n\n{_signature_and_words(member, method)}")
    return "\n\n".join(parts)


def _signature_and_words(name: str, value: Any) -> str:
    if not (inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, property)):
        return f"`{name} = {value!r}`"
    words = inspect.getdoc(value) or ""
    made = inspect.isclass(value) and inspect.getdoc(vars(value).get("__init__"))
    if made and not made.startswith("Method generated by attrs"):
        words = f"{words}\n\n{made}"
    if isinstance(value, property):
        return words
    try:
        signature = str(inspect.signature(value))
    except ValueError:
        # An exception that takes what every exception takes.
        signature = ""
    return f"```python\n{name}{signature}\n```\n\n{words}"


def broken() -> list[str]:
    """Find what a page leads to or shows that is not on the site, or is loaded from elsewhere."""
    texts = {file: file.read_text("utf-8") for file in sorted(SITE.rglob("*.html"))}
    identifiers = {file: set(re.findall(r'\bid="([^"]+)"', text)) for file, text in texts.items()}
    found = []
    for file, text in texts.items():
        name = file.relative_to(SITE)
        found += [f"{name} loads {loaded}" for loaded in _LOADED.findall(text)]
        if file.name == "404.html":
            # Its links begin at the root of a server.
            continue
        for link in set(re.findall(r'\b(?:href|src)="([^"]+)"', text)):
            target, _, anchor = unescape(link).partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            there = (file.parent / unquote(target)).resolve() if target else file
            if there.is_dir():
                there /= "index.html"
            if not there.exists():
                found.append(f"{name} leads to {link}, which is not there")
            elif anchor and unquote(anchor) not in identifiers.get(there, {unquote(anchor)}):
                found.append(f"{name} leads to {link}, which has no such heading")
    return found


def main() -> int:
    """Build everything; return the exit code."""
    stage()
    problems = make_html()
    if not problems:
        let_search_work_from_a_folder()
        let_guides_come_first()
        write_twins()
        problems = broken()
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
