"""The command line as a whole: groups of commands, options of all of them, their help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

import typer
from typer.core import TyperGroup

from talkjs_async._version import __version__
from talkjs_async.cli._global_options import GlobalOptions
from talkjs_async.cli._output import PROGRAM, write

F = TypeVar("F", bound=Callable[..., Any])

_HELP: Final = frozenset({"-h", "--help"})
_SETTINGS: Final[dict[str, Any]] = {"help_option_names": sorted(_HELP), "max_content_width": 90}

app: Final[typer.Typer] = typer.Typer(
    name=PROGRAM,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"{PROGRAM} {__version__}")
        raise typer.Exit


AppId = Annotated[
    str | None, typer.Option(envvar="TALKJS_APP_ID", help="From the TalkJS dashboard.")
]
BaseUrl = Annotated[
    str | None, typer.Option(envvar="TALKJS_BASE_URL", help="Default: https://api.talkjs.com.")
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        help="A file that holds the secret key. Otherwise it is taken from TALKJS_SECRET_KEY, "
        "or asked for. It is never an argument: those are seen by all users of the machine.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON Lines for machines.")]


@app.callback()
def global_options(
    context: typer.Context,
    app_id: AppId = None,
    base_url: BaseUrl = None,
    secret_file: SecretFile = None,
    json: Json = False,
    version: Annotated[  # noqa: ARG001 - its callback has done it all
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """
    Single records, bulk jobs and small helps for the TalkJS REST API.

    Exit codes: 0 all done; 1 some records failed; 2 wrong usage; 3 TalkJS cannot be reached or does
    not allow it, or the disk is full; 130 stopped by Ctrl-C. Results go to the standard output,
    progress and complaints to the standard error. Options work before, within and after the
    command's name.
    """
    context.obj = GlobalOptions(app_id, base_url, secret_file, json)


GLOBAL_OPTIONS: Final = ("app_id", "base_url", "secret_file", "json")
"""What stands before a command's name, between its words or behind it."""


def _behind_the_name() -> list[inspect.Parameter]:
    """The global options once more, without variables of the environment: those count less."""
    parameters = []
    for parameter in inspect.signature(global_options, eval_str=True).parameters.values():
        if parameter.name in GLOBAL_OPTIONS:
            type_, info = get_args(parameter.annotation)
            info = copy(info)
            info.envvar = None
            parameters.append(
                parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=Annotated[type_, info])
            )
    return parameters


def _with_global_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function of the command line take the global options as well, behind its name."""

    @wraps(function)
    def with_options(*arguments: Any, **named: Any) -> Any:
        given = {name: named.pop(name) for name in GLOBAL_OPTIONS}
        context: typer.Context = named["context"]
        changes = {name: value for name, value in given.items() if value not in (None, False)}
        context.obj = context.obj._replace(**changes)
        return function(*arguments, **named)

    signature = inspect.signature(function, eval_str=True)
    parameters = [*signature.parameters.values(), *_behind_the_name()]
    with_options.__dict__["__signature__"] = signature.replace(parameters=parameters)
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def command(group: typer.Typer, name: str | None = None) -> Callable[[F], F]:
    """Register a command that takes the global options as well, behind its name."""

    def register(function: F) -> F:
        group.command(name)(_with_global_options(function))
        return function

    return register


class _Group(TyperGroup):
    """A group that says what it has when it is asked for something else."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first word names, or end with what there is."""
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            complaint = (
                f"No such command '{word}'; {ctx.info_name} has: {', '.join(self.commands)}."
            )
            if word in ctx.find_root().command.commands:
                complaint += f" But there is `{PROGRAM} {word}`."
            ctx.fail(complaint)
        return super().resolve_command(ctx, args)


def _group(name: str, help: str) -> typer.Typer:
    @_with_global_options
    def options_of_group(context: typer.Context) -> None:
        """Take the options between the two words of a command."""

    group = typer.Typer(cls=_Group, help=help, rich_markup_mode=None, callback=options_of_group)
    app.add_typer(group, name=name)
    return group


get_group = _group("get", "Look at one record.")
list_group = _group("list", "Look at records, one line each.")
users_group = _group("users", "Users in bulk.")
conversations_group = _group("conversations", "Conversations in bulk.")
messages_group = _group("messages", "Messages in bulk.")
migrate_group = _group("migrate", "Move from another chat service.")
token_group = _group("token", "Tokens to sign in with.")
webhook_group = _group("webhook", "Webhooks that were received.")


def help_for(arguments: Sequence[str]) -> str | None:
    """
    Return the help that is asked for, also by not saying what to do.

    None: none is, or the command has its own.
    """
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=PROGRAM, **_SETTINGS)
    for argument in arguments:
        if argument in _HELP:
            return command.get_help(context)
        below = command.commands.get(argument) if isinstance(command, TyperGroup) else None
        if below is not None:
            if not below.add_help_option:
                return None
            command = below
            context = typer.Context(command, info_name=argument, parent=context, **_SETTINGS)
    says_too_little = not arguments or arguments[-1] == context.info_name
    if isinstance(command, TyperGroup) and says_too_little:
        return command.get_help(context)
    return None
