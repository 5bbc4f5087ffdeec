"""
Write `docs/reference/cli.md` from the command line itself: `python docs/commands.py`.

What a command takes and what it says of itself is read from the code. A test compares the page with
what this program would write, so it can only be changed by changing the code.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from talkjs_async.cli._typer_app import GLOBAL_OPTIONS
from talkjs_async.cli.commands import PROGRAM, app, global_options
from talkjs_async.emulator.__main__ import parser_for

PAGE = Path(__file__).with_name("reference") / "cli.md"

TITLE = f"""\
# The command line

Written by `python docs/commands.py` from the code of `{PROGRAM}`; a test compares it with that.
Install it with `pip install 'talkjs-async[cli]'`; `python -m talkjs_async` is the same.

```sh
{PROGRAM} [OPTIONS] COMMAND ...
```

"""

EXIT_CODES = f"""
These options work before, within and after the command's name, as in
`{PROGRAM} users upsert users.csv --json`.

## Exit codes

| code | what it means |
|---|---|
| 0 | all done |
| 1 | some records failed, and are listed; a webhook is not genuine; you said no to a question |
| 2 | wrong usage: an argument, a file, a journal, a directory, an ID; nothing was done |
| 3 | TalkJS cannot be reached or does not allow it, or the disk is full; the same command goes on |
| 130 | stopped by Ctrl-C; the same command goes on |

## What is written where

Results go to the standard output. Progress, complaints and what to do next go to the standard
error: a bar on a terminal, elsewhere a line every ten seconds, with `--json` no progress at all.
With `--json` the standard output is JSON Lines: commands for single records write each with
TalkJS's names; a job writes `{{"record": ...}}` for each record that failed, is unknown or planned,
and `{{"report": ...}}` at the end.

Characters that a stream cannot show, and those that a terminal takes for commands, are written as
escapes such as `\\x1b`; with `--json` everything outside of ASCII is. When the reader of a pipe has
gone, a job goes on in silence and ends with its own exit code; `list` and `tail` end. A full disk
is told in one line.

A job keeps a journal beside what it reads, named after the file and the app (`export` keeps it in
its directory, `anonymise` needs none). With it the same command goes on after any interruption, and
a later one sends only what has changed. Delete it to begin anew.

Rows that fail are named, with their line, and the others are sent. `#88` is the 88th record, which
has no ID. Mend them and run the same command again:

```text
users upsert users.csv: 197 done, 3 failed; 4 requests in 0.3 s
  failed: u17 (record 17): line 18: refused with 400: name: is required.
  failed: #88 (record 88): line 89: id: is missing.
  failed: u150 (record 150): line 151: refused with 400: name: is required.
Mend what failed and run the same command again: it sends only that.
```

```text
users upsert users.csv: 3 done, 197 unchanged; 1 request in 0.2 s
```

## Completion in the shell

`{PROGRAM} --install-completion` teaches the shell that it is typed in (bash, zsh, fish or
PowerShell) to complete commands and options with the Tab key, from its next start on. It adds a
line to the file that your shell reads when it starts. `{PROGRAM} --show-completion` only prints the
script, for those who keep such files themselves.
"""

ARGPARSE_WIDTH = 88


def commands(group: typer.Typer, *names: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command below *group*, with its full name and its function."""
    for command in group.registered_commands:
        if command.callback is not None:
            name = command.name or command.callback.__name__.replace("_", "-")
            yield " ".join((*names, name)), command.callback
    for below in group.registered_groups:
        if below.typer_instance is not None:
            yield from commands(below.typer_instance, *names, str(below.name))


def page() -> str:
    """Return the page."""
    text = TITLE + _table(global_options) + EXIT_CODES
    for name, function in sorted(commands(app)):
        text += f"\n## {name}\n\n"
        text += _emulator() if name == "emulator" else _section(name, function)
    return text


def _section(name: str, function: Callable[..., Any]) -> str:
    arguments = [each.upper() for each, _, info, _ in _takes(function) if _is_argument(info)]
    usage = " ".join([PROGRAM, name, *arguments])
    text = f"```sh\n{usage}\n```\n\n{_paragraphs(function.__doc__ or '')}\n"
    table = _table(function)
    return f"{text}\n{table}" if table else text


def _takes(
    function: Callable[..., Any],
) -> Iterator[tuple[str, Any, ArgumentInfo | OptionInfo, Any]]:
    """What a command takes: name, type, what typer is told, default."""
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, *told = get_args(hints[parameter.name]) or (None,)
        for info in told:
            is_global = parameter.name in GLOBAL_OPTIONS and function is not global_options
            if isinstance(info, ArgumentInfo | OptionInfo) and not is_global:
                yield parameter.name, kind, info, parameter.default


def _table(function: Callable[..., Any]) -> str:
    rows = "".join(_row(*each) for each in _takes(function))
    return f"| argument | what it is |\n|---|---|\n{rows}" if rows else ""


def _row(name: str, kind: Any, info: ArgumentInfo | OptionInfo, default: Any) -> str:
    words = info.help or ""
    if _is_argument(info):
        return f"| `{name.upper()}` | {words} |\n"
    # In an annotation, typer takes the first name for the default until it reads the function.
    names = [*(info.param_decls or ()), info.default]
    given = [each for each in names if isinstance(each, str) and each.startswith("--")]
    options = "/".join(given or [f"--{name.replace('_', '-')}"]).split("/")
    value = _value(kind)
    if info.envvar:
        words += f" Or set `{info.envvar}`."
    if isinstance(default, int | float) and not isinstance(default, bool):
        words += f" Default: {default if isinstance(default, int) else f'{default:g}'}."
    return f"| {', '.join(f'`{option}{value}`' for option in options)} | {words.strip()} |\n"


def _value(kind: Any) -> str:
    """Name what follows an option."""
    (kind,) = (each for each in get_args(kind) or [kind] if each is not type(None))
    if kind is bool:
        return ""
    if get_origin(kind) is Literal:
        return f" {' or '.join(get_args(kind))}"
    return {Path: " FILE", float: " SECONDS", int: " NUMBER"}.get(kind, " TEXT")


def _is_argument(info: ArgumentInfo | OptionInfo) -> bool:
    return isinstance(info, ArgumentInfo)


def _paragraphs(text: str) -> str:
    """Undo the line breaks inside of paragraphs, and write placeholders as Markdown."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    plain = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    return re.sub(r"(\S*<\w+>)", r"`\1`", plain)


def _emulator() -> str:
    parser = parser_for(f"{PROGRAM} emulator")
    parser.formatter_class = partial(argparse.HelpFormatter, width=ARGPARSE_WIDTH)
    return f"```text\n{parser.format_help()}```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
