"""
What to write instead: errors for calls that do not fit an endpoint's signature.

Users guess the names of other SDKs first. Where Python raises an error for such a name anyway, the
error gives ours. Knows names only, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from talkjs_async._core.wire import meant
from talkjs_async.errors import ConfigurationError

_IN_ALL: Final = "talkjs.with_options(total_timeout=2.0) bounds a call, waits and retries included"
_UPLOADED: Final = "attachment_token=file.token, of the file that talkjs.files.upload returns"
_ARGUMENTS: Final = {
    "attachment": _UPLOADED,
    "deadline": _IN_ALL,
    "file": _UPLOADED,
    "files": _UPLOADED,
    "timeout": _IN_ALL,
}
_METHODS: Final = {
    "bulk": "a module: from talkjs_async import bulk",
    "export": "bulk.export(talkjs, directory), from talkjs_async import bulk",
    "find": "get",
    "get_many": "talkjs.batch(call_of(method, id), ...), ten to a request",
    "react": "talkjs.reactions.add",
    "restore": "bulk.restore(talkjs, directory), from talkjs_async import bulk",
    "webhooks": "Webhooks(secret_key), from talkjs_async import Webhooks",
}
_UPSERT: Final = {
    "create": "upsert, which makes what is not there",
    "ensure": "upsert, which makes what is not there and keeps the rest",
    "get_or_create": "upsert, which makes what is not there and keeps the rest; then get",
}
_RESOURCES: Final = {
    "access": "participants",
    "jwt": "tokens",
    "member": "participants",
    "members": "participants",
    "online": "presences",
    "read": "conversations",
    "upload": "files",
}
"""Words that stand for a resource, besides its own name in singular or plural."""


def missing_attribute(owner: object, name: str) -> AttributeError:
    """
    Say that a client or a resource has no such attribute, and what is meant or what there is.

    Args:
        owner: The client or the resource. Its `__getattr__` raises what this returns.
    """
    kind = type(owner)
    if hasattr(kind, name):
        # It is there, and asking for it failed: that is the error to see.
        try:
            object.__getattribute__(owner, name)
        except AttributeError as error:
            return error
    # Python and libraries ask any object for names with an underscore.
    hint = "" if name.startswith("_") else f": {_hint(kind, name)}"
    # No full stop: Python may go on with ". Did you mean".
    return AttributeError(f"{kind.__name__} has no {name!r}{hint}", name=name, obj=owner)


def _hint(kind: type, name: str) -> str:
    methods = _METHODS | (_UPSERT if hasattr(kind, "upsert") else {})
    if name in methods:
        return f"it is {methods[name]}"
    others = {one: each for one, each in _resources().items() if not issubclass(kind, each)}
    for word in reversed(name.split("_")):
        for one in (_RESOURCES.get(word), word, f"{word}s"):
            if one in others:
                return f"talkjs.{one} has {', '.join(_public(others[one]))}"
    return f"it has {', '.join(_public(kind))}"


def _resources() -> dict[str, type]:
    """The resources of a client, by their names there."""
    # By name, as the client itself loads its resources: this module is below them.
    client = import_module("talkjs_async.client").AsyncTalkJS
    found = {name: getattr(client, name) for name in vars(client) if not name.startswith("_")}
    tokens = import_module("talkjs_async.identity").Tokens
    return {name: each for name, each in found.items() if isinstance(each, type)} | {
        "tokens": tokens
    }


def _public(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def wrong_call(
    build: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> TypeError | None:
    """
    Explain why arguments do not fit.

    Args:
        build: The function that was called.
        args: Its arguments by position, without the resource.
        kwargs: The others.

    Returns:
        None: They fit, or Python's own error says enough.
    """
    from inspect import Parameter, signature  # noqa: PLC0415 - for wrong calls only

    parameters = list(signature(build).parameters.values())[1:]
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return None
    by_name = [each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
    by_position = [each.name for each in parameters if each.kind is not Parameter.KEYWORD_ONLY]
    name = build.__qualname__
    if len(args) > len(by_position):
        missing = [each for each in by_name if each not in kwargs]
        given = ", ".join(f"{each}=..." for each in missing[: len(args) - len(by_position)])
        return TypeError(
            f"{name} takes {' and '.join(by_position) or 'nothing'} by position, and all else by "
            f"name: {given or 'leave out the rest'}."
        )
    for each in kwargs:
        if each not in by_name and each not in by_position:
            hint = _ARGUMENTS.get(each)
            way_out = f"it is {hint}." if hint else _did_you_mean(each, by_position + by_name)
            return TypeError(f"{name} has no argument {each!r}: {way_out}")
    return None


def _did_you_mean(name: str, names: list[str]) -> str:
    longer = [each for each in names if name in each.split("_")]
    guess = longer[0] if len(longer) == 1 else meant(name, names)
    return f"it has {', '.join(names)}." if guess is None else f"did you mean {guess!r}?"


def explained(build: Callable[..., Any], resource: object, /, *args: Any, **kwargs: Any) -> Any:
    """
    Call *build*.

    Raises:
        TypeError: The arguments do not fit; it says what to write.
        ConfigurationError: They are nested too deep.
    """
    try:
        return build(resource, *args, **kwargs)
    except RecursionError:
        raise ConfigurationError("arguments", "are nested too deep to be sent.") from None
    except TypeError as error:
        wrong = wrong_call(build, args, kwargs)
        if wrong is None:
            raise
        raise wrong from error
