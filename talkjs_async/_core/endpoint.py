"""
How a pure function becomes a method that sends.

An endpoint is written once, as a function from arguments to a `Call` (or, for lists, to a
`Listing`). The decorators here turn it into what users see; `call_of` gives the same request as a
value.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import attrs

from talkjs_async._core.call import Call, Run
from talkjs_async._core.clock import SYSTEM_CLOCK, Clock
from talkjs_async._core.listing import Listing, Page
from talkjs_async._core.pages import Records
from talkjs_async._core.wrong_calls import explained, missing_attribute
from talkjs_async.errors import ConfigurationError, shown

T = TypeVar("T")
P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R", bound="Resource")


class Resource:
    """
    Base of the resources: each sends the calls of one part of the API, such as users.

    Args:
        run: Sends the calls.
        api_version: Of the client behind *run*; `call_of` writes it into the calls it makes, since
            they may leave by another client's batch.
        clock: What now is, where a call sends it.
    """

    __slots__ = ("_api_version", "_clock", "_run")

    def __init__(
        self, run: Run, api_version: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._run = run
        self._api_version = api_version
        self._clock = clock

    # Type checkers would take it for permission to call anything.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(self, name)


class ResourceOf(Generic[A]):
    """
    An attribute of a client's class: one of its resources, made at first use.

    On the class it is the resource's class, so that `help`, completion and `create_autospec` know
    what the client has.

    Args:
        module: Below `talkjs_async`; loaded when the resource is first asked for. Together they
            would take a sixth of the time in which the client is imported.
        name: The class in it.
        made_of: The client's attribute with what the class is called with.
    """

    def __init__(self, module: str, name: str, *, made_of: str = "_made_of") -> None:
        self._module = module
        self._class = name
        self._made_of = made_of

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, client: None, owner: type) -> type[A]: ...
    @overload
    def __get__(self, client: object, owner: type) -> A: ...
    def __get__(self, client: object, owner: type) -> type[A] | A:
        resource: type[A] = getattr(import_module(f"talkjs_async.{self._module}"), self._class)
        if client is None:
            return resource
        made = resource(*getattr(client, self._made_of))
        vars(client)[self._name] = made
        return made


def endpoint(
    build: Callable[Concatenate[R, P], Call[T]],
) -> Callable[Concatenate[R, P], Coroutine[Any, Any, T]]:
    """Make an ordinary coroutine method of a function that builds a `Call`."""
    # Shown by `help()`, which looks through the wrapper.
    build.__annotations__["return"] = _result_of(build)

    @wraps(build)
    async def call_endpoint(self: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(explained(build, self, *args, **kwargs))

    call_endpoint.__build__ = build  # type: ignore[attr-defined]  # read back by call_of
    return call_endpoint


def listing(
    build: Callable[Concatenate[R, P], Listing[T]],
) -> Callable[Concatenate[R, P], Records[T]]:
    """Make a method that returns `Records` of a function that builds a `Listing`."""
    build.__annotations__["return"] = f"Records[{_result_of(build)}]"

    @wraps(build)
    def pages(self: R, /, *args: P.args, **kwargs: P.kwargs) -> Records[T]:
        return Records(explained(build, self, *args, **kwargs), self._run)

    pages.__build__ = build  # type: ignore[attr-defined]  # read back by call_of
    return pages


@overload
def call_of(
    method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
) -> Call[T]: ...


@overload
def call_of(
    method: Callable[P, Records[T]], /, *args: P.args, **kwargs: P.kwargs
) -> Call[Page[T]]: ...


def call_of(method: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Call[Any]:
    """
    Build the request that a method would send, without sending it.

    Args:
        method: A bound endpoint method, for example `talkjs.users.get`.
        args, kwargs: Its arguments; they are checked as if it were called.

    Returns:
        The call. For a list method: the call of its first page.

    Raises:
        ConfigurationError: *method* is not an endpoint, or an argument breaks its rule.
    """
    build = getattr(method, "__build__", None)
    resource = getattr(method, "__self__", None)
    if build is None or not isinstance(resource, Resource):
        raise ConfigurationError(
            "method", f"{shown(method)} is not an endpoint: pass a method such as talkjs.users.get."
        )
    built = explained(build, resource, *args, **kwargs)
    call: Call[Any] = built.first_call() if isinstance(built, Listing) else built
    version = resource._api_version  # noqa: SLF001 - of the class above
    return call if version is None else attrs.evolve(call, api_version=version)


def listing_of(method: Callable[P, Records[T]], /, *args: P.args, **kwargs: P.kwargs) -> Listing[T]:
    """Build the list that a list method would read, with its arguments checked."""
    listing: Listing[T] = method.__build__(method.__self__, *args, **kwargs)  # type: ignore[attr-defined]  # see listing()
    return listing


def _result_of(build: Callable[..., object]) -> str:
    """What `Call[User]` or `Listing[User]` yields, for `help()`: the text between the brackets."""
    returns = str(build.__annotations__["return"])
    return returns[returns.index("[") + 1 : -1]
