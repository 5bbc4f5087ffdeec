"""`AsyncTalkJS`: wires the layers together, opens and closes; does no work itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self
from urllib.parse import quote
from weakref import WeakSet

import attrs

from talkjs_async._core.assembly import budgets_of, pipeline_of
from talkjs_async._core.base_url import base_url_of
from talkjs_async._core.call import Bucket, Lane, Method
from talkjs_async._core.clock import Clock, checked_clock
from talkjs_async._core.credentials import app_id_of, secret_key_of
from talkjs_async._core.endpoint import ResourceOf
from talkjs_async._core.forwarder import Forwarder
from talkjs_async._core.free_call import free_call
from talkjs_async._core.options import (
    DEFAULT_ANSWER_BYTES,
    DEFAULT_ATTEMPT_TIMEOUT,
    DEFAULT_TIMEOUT,
    checked_answer_bytes,
    checked_attempt_timeout,
    checked_auth,
    checked_hooks,
    checked_lane,
    checked_retry,
    checked_total,
    checked_version,
    checked_wait,
    timeouts,
)
from talkjs_async._core.pipeline import Pipeline
from talkjs_async._core.retry import RetryPolicy
from talkjs_async._core.wire import UNSET, Unset, checked_flag
from talkjs_async._core.wrong_calls import missing_attribute
from talkjs_async.auth import AppTokenAuth, Auth
from talkjs_async.errors import ConfigurationError
from talkjs_async.identity import Tokens
from talkjs_async.limits import Budget, Budgets, Limiter
from talkjs_async.resources.conversations import Conversations
from talkjs_async.resources.messages import Messages
from talkjs_async.resources.participants import Participants
from talkjs_async.resources.presences import Presences
from talkjs_async.resources.reactions import Reactions
from talkjs_async.resources.users import Users
from talkjs_async.telemetry import Hook

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2

    from talkjs_async.batch import Batch
    from talkjs_async.batch._overflow import Dispatchers
    from talkjs_async.resources.app import AppSettings
    from talkjs_async.resources.files import Files
    from talkjs_async.resources.notifications import Notifications
    from talkjs_async.resources.themes import Themes

__all__ = ["AsyncTalkJS"]


class AsyncTalkJS:
    """
    The TalkJS REST API for one app.

    Building one is cheap and does no I/O; connections are opened at the first call, per event loop.
    All clients of one app in a process share one rate budget, so making a client per request is
    wasteful but harmless.

    Args:
        app_id: From the TalkJS dashboard. None: the environment variable TALKJS_APP_ID.
        secret_key: From the TalkJS dashboard. None: the environment variable TALKJS_SECRET_KEY.
            Not needed when *auth* is given.
        engine: HTTP library: "httpx" or "httpx2" (extra `[httpx2]`). None: that of *http_client* or
            *transport*, else httpx.
        base_url: None: the environment variable TALKJS_BASE_URL, else https://api.talkjs.com.
        auth: How to sign requests. None: `AppTokenAuth`, a fresh token per attempt.
        api_version: Sent as `TalkJS-REST-Version`, for example "2024-01-01". None: the app's
            default.
        budgets: Where the app's budgets for ordinary requests and for batches are kept. None: in
            this process, shared by all its clients of the app (600 requests at once, then 9 per
            second; 500 batches at once, then 1 per second). `ProcessBudgets`, `RedisBudgets` or
            `OwnBudgets`. Closing the client does not close it.
        overflow_to_batch: Send calls that wait for the ordinary budget in batches. See
            `docs/explanation/overflow.md`.
        retry: How persistent to be: a policy, or just the number of attempts.
        timeout: Seconds that each read or write of an attempt may take; connecting takes at most
            10. None: no limit.
        attempt_timeout: Seconds from the first byte of a request (an upload: from its last) to the
            last byte of the answer. None: no limit.
        max_answer_bytes: How large an answer may be, before and after decompression.
        lane: "interactive", or "background" for work that can wait for it.
        max_wait: Seconds to wait for the budget; a longer wait raises RateLimitWaitTimeout at once.
            None: wait as long as it takes. The limit holds for each attempt.
        total_timeout: Seconds that a call may take in all: waits for the budget, attempts, and the
            pauses between them. A call that could not leave in time raises RateLimitWaitTimeout,
            one that left and was not answered OutcomeUnknown. None: no bound of its own.
        ssl_context: Whom to trust, and which certificate to show. None: the library's default.
        proxy: URL of a proxy, `http://user:password@proxy:8080`. None: what the environment says.
        http_client: An `httpx.AsyncClient` (or httpx2's) of yours, used as it is, never closed.
        transport: An httpx transport of yours; the client built around it is ours to close.
        clock: Source of time. None: the machine's.
        hooks: Called with every event of `talkjs_async.telemetry`. Events of the budget cover all
            clients that share it, in whichever thread they run.

    A client without *budgets* whose *transport* replaces the network, as the emulator's does,
    shares no budget with others. One whose transport is httpx's own shares that of the process.

    Raises:
        ConfigurationError: A credential is missing, or an argument breaks a rule.
    """

    users: ResourceOf[Users] = ResourceOf("resources.users", "Users")
    conversations: ResourceOf[Conversations] = ResourceOf(
        "resources.conversations", "Conversations"
    )
    participants: ResourceOf[Participants] = ResourceOf("resources.participants", "Participants")
    messages: ResourceOf[Messages] = ResourceOf("resources.messages", "Messages")
    reactions: ResourceOf[Reactions] = ResourceOf("resources.reactions", "Reactions")
    presences: ResourceOf[Presences] = ResourceOf("resources.presences", "Presences")
    files: ResourceOf[Files] = ResourceOf("resources.files", "Files")
    notifications: ResourceOf[Notifications] = ResourceOf(
        "resources.notifications", "Notifications"
    )
    app: ResourceOf[AppSettings] = ResourceOf("resources.app", "AppSettings")
    themes: ResourceOf[Themes] = ResourceOf("resources.themes", "Themes")
    batch: ResourceOf[Batch] = ResourceOf("batch", "Batch", made_of="_batch_made_of")

    def __init__(
        self,
        app_id: str | None = None,
        secret_key: str | None = None,
        *,
        engine: Literal["httpx", "httpx2"] | None = None,
        base_url: str | None = None,
        auth: Auth | None = None,
        api_version: str | None = None,
        budgets: Budgets | None = None,
        overflow_to_batch: bool = False,
        retry: RetryPolicy | int = RetryPolicy(),  # noqa: B008 - frozen
        timeout: float | httpx.Timeout | httpx2.Timeout | None = DEFAULT_TIMEOUT,
        attempt_timeout: float | None = DEFAULT_ATTEMPT_TIMEOUT,
        max_answer_bytes: int = DEFAULT_ANSWER_BYTES,
        lane: Lane = "interactive",
        max_wait: float | None = None,
        total_timeout: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        try:
            app_id = app_id_of(app_id)
            auth = checked_auth(auth)
            secret_key = secret_key_of(secret_key, needed=auth is None)
            clock = checked_clock(clock)
            if auth is None:
                auth = AppTokenAuth(app_id, secret_key or "")
            self._tokens = Tokens(app_id, secret_key, clock=clock) if secret_key else None
        finally:
            # From here on no frame of ours holds it: a traceback with local variables is a log too.
            del secret_key
        base_url = base_url_of(base_url)
        self._pipeline = pipeline_of(
            root=f"{base_url}/v1/{quote(app_id, safe='')}",
            auth=auth,
            api_version=api_version,
            limiters=_limiters(budgets_of(budgets, transport), base_url, app_id, clock),
            clock=clock,
            engine=engine,
            retry=retry,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            max_answer_bytes=max_answer_bytes,
            lane=lane,
            max_wait=max_wait,
            total_timeout=total_timeout,
            ssl_context=ssl_context,
            proxy=proxy,
            http_client=http_client,
            transport=transport,
            hooks=hooks,
        )
        self._forwarder = Forwarder(self._pipeline.limiters, self._pipeline.hooks)
        # Those of clients derived from this one end with it.
        self._forwarders = WeakSet([self._forwarder])
        self._dispatchers: Dispatchers | None = None
        if checked_flag("overflow_to_batch", overflow_to_batch):
            if "batch" not in self._pipeline.limiters:
                raise _no_batches()
            from talkjs_async.batch._overflow import Dispatchers  # noqa: PLC0415 - few want it

            self._dispatchers = Dispatchers(self._pipeline)
        self.app_id = app_id
        # A client that with_options has made uses what this one owns.
        self._owns = True
        self._set_out()

    def _set_out(self) -> None:
        run = self._pipeline.run
        if self._dispatchers is not None:
            from talkjs_async.batch._overflow import Overflow  # noqa: PLC0415

            run = Overflow(self._pipeline, self._dispatchers).run
        self._made_of = run, self._pipeline.api_version, self._pipeline.clock

    @property
    def _batch_made_of(self) -> tuple[Pipeline]:
        if "batch" not in self._pipeline.limiters:
            raise _no_batches()
        return (self._pipeline,)

    def with_options(
        self,
        *,
        api_version: str | None | Unset = UNSET,
        retry: RetryPolicy | int | Unset = UNSET,
        timeout: float | httpx.Timeout | httpx2.Timeout | None | Unset = UNSET,
        attempt_timeout: float | None | Unset = UNSET,
        max_answer_bytes: int | Unset = UNSET,
        lane: Lane | Unset = UNSET,
        max_wait: float | None | Unset = UNSET,
        total_timeout: float | None | Unset = UNSET,
        hooks: Sequence[Hook] | Unset = UNSET,
    ) -> Self:
        """
        Return a client with other options, on the same connections and the same budget.

        Cheap enough for a single call: `talkjs.with_options(lane="background").users.get("a")`.
        What is left out stays as it is. The new client owns nothing: closing it leaves this one
        open, and closing this one closes both.
        """
        changes: dict[str, Any] = {}
        if api_version is not UNSET:
            changes["api_version"] = checked_version(api_version)
        if retry is not UNSET:
            changes["retry"] = checked_retry(retry)
        if timeout is not UNSET:
            changes["timeout"] = timeouts(timeout)
        terms = self._pipeline.terms
        if attempt_timeout is not UNSET:
            terms = terms._replace(seconds=checked_attempt_timeout(attempt_timeout))
        if max_answer_bytes is not UNSET:
            terms = terms._replace(largest=checked_answer_bytes(max_answer_bytes))
        changes["terms"] = terms
        if lane is not UNSET:
            changes["lane"] = checked_lane(lane)
        if max_wait is not UNSET:
            changes["max_wait"] = checked_wait(max_wait)
        if total_timeout is not UNSET:
            changes["total_timeout"] = checked_total(total_timeout)
        if hooks is not UNSET:
            changes["hooks"] = checked_hooks(hooks)
        derived = object.__new__(type(self))
        # What was made of this one is made anew. Whatever else a subclass has added goes along.
        made = {
            name
            for name in vars(self)
            if isinstance(_declared(self, name), ResourceOf | cached_property)
        }
        vars(derived).update({k: v for k, v in vars(self).items() if k not in made})
        state: Any = object.__getstate__(self)
        for name, value in (state[1] if isinstance(state, tuple) else {}).items():
            setattr(derived, name, value)
        derived._pipeline = attrs.evolve(self._pipeline, **changes)
        derived._owns = False
        if hooks is not UNSET:
            # The budget's events go to these hooks for as long as there is this client.
            derived._forwarder = Forwarder(derived._pipeline.limiters, derived._pipeline.hooks)
            derived._pipeline = attrs.evolve(derived._pipeline, kept=derived._forwarder)
            derived._forwarders.add(derived._forwarder)
        derived._set_out()
        return derived

    async def request(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Any:
        """
        Send any request, for what is not modelled here yet.

        It takes the same road as all others: budget (that of batches for a POST to "/batch"),
        token, retries, errors. A POST is not repeated when its outcome is unknown. It never goes
        with a batch, and waits for no batch that is on its way.

        Args:
            method: "GET", "PUT", "POST", "PATCH" or "DELETE".
            path: Below `/v1/{appId}`, beginning with "/"; percent-encode the IDs in it. Segments
                "." and ".." are refused: they could lead out of the app.
            params: Query parameters, unencoded.
            json: The body. None: no body.

        Returns:
            The parsed JSON of the answer.

        Raises:
            ConfigurationError: An argument breaks its rule.
        """
        call = free_call(method, path, params, json)
        if call.bucket not in self._pipeline.limiters:
            raise _no_batches()
        return await self._pipeline.run(call)

    # Type checkers would take it for permission to call anything.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(self, name)

    @property
    def tokens(self) -> Tokens:
        """
        Tokens and signatures for front ends.

        Raises:
            ConfigurationError: The client has no secret key, only an *auth* of yours.
        """
        if self._tokens is None:
            raise ConfigurationError(
                "secret_key", "is needed to make tokens: pass it beside *auth*."
            )
        return self._tokens

    @property
    def budget(self) -> Budget:
        """What is left of the ordinary budget right now. With overflow, its waits count batches."""
        budget = self._pipeline.limiters["ordinary"].statistics()
        return budget if self._dispatchers is None else self._dispatchers.with_batches(budget)

    @property
    def batch_budget(self) -> Budget:
        """What is left of the budget of batches right now."""
        if "batch" not in self._pipeline.limiters:
            raise _no_batches()
        return self._pipeline.limiters["batch"].statistics()

    async def aclose(self) -> None:
        """
        Close the connections of this event loop, and tell the hooks of no more waits and pauses.

        A given *http_client* stays open, and so does all that a client made by `with_options` uses.
        """
        if not self._owns:
            return
        for forwarder in list(self._forwarders):
            forwarder.stop()
        if self._dispatchers is not None:
            await self._dispatchers.here().aclose()
        await self._pipeline.connections.aclose()

    async def __aenter__(self) -> Self:
        self._forwarder.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        # Debuggers and tracebacks also show a client whose construction failed.
        pipeline = vars(self).get("_pipeline")
        return f"<AsyncTalkJS {pipeline.root}>" if pipeline else "<AsyncTalkJS, not built>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds a secret key and open connections: build one per process.")


def _declared(client: object, name: str) -> object:
    return inspect.getattr_static(type(client), name, None)


def _limiters(budgets: Budgets, base_url: str, app_id: str, clock: Clock) -> dict[Bucket, Limiter]:
    ordinary, batch = budgets.limiters(base_url, app_id, clock)
    return {"ordinary": ordinary} if batch is None else {"ordinary": ordinary, "batch": batch}


def _no_batches() -> ConfigurationError:
    return ConfigurationError(
        "budgets", "has no limiter for batches: give OwnBudgets a second one, *batch*."
    )
