"""
A request that a caller spells out, for what is not modelled.

Checks what the endpoints' own functions are sure of: that it is a request, and to this app.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from talkjs_async._core.base_url import path_problem
from talkjs_async._core.call import Call, Method, as_is
from talkjs_async._core.wire import checked_word, is_text
from talkjs_async.errors import ConfigurationError


def free_call(method: object, path: object, params: object, json: Any) -> Call[Any]:
    """
    Build the call.

    Raises:
        ConfigurationError: An argument breaks its rule.
    """
    verb = method.upper() if isinstance(method, str) else method
    checked_word("method", verb, get_args(Method))
    if json is not None and verb == "GET":
        raise ConfigurationError("json", "must be left out of a GET, which has no body.")
    return Call(
        method=cast("Method", verb),
        path=_checked_path(path),
        query=_checked_params(params),
        body=json,
        decode=as_is,
        idempotent=verb != "POST",
        # TalkJS charges it there, and its budget is the smaller one.
        bucket="batch" if verb == "POST" and path == "/batch" else "ordinary",
    )


def _checked_path(path: object) -> str:
    if not isinstance(path, str):
        raise ConfigurationError("path", f"must be text (str), not {type(path).__name__}.")
    if "?" in path:
        raise ConfigurationError("path", "must have no query: pass it as *params*.")
    problem = path_problem(path) if path else "must begin with '/'."
    if problem is not None:
        raise ConfigurationError("path", problem)
    if path.startswith("//"):
        raise ConfigurationError("path", "must begin with one '/'.")
    return path


def _checked_params(params: object) -> dict[str, str]:
    if params is None:
        return {}
    if isinstance(params, Mapping) and all(
        is_text(name) and is_text(value) for name, value in params.items()
    ):
        return dict(params)
    raise ConfigurationError("params", "must map texts to texts (str), for example {'limit': '5'}.")
