"""
Both budgets of an app together: ordinary requests and batches.

A client asks once, with its app and clock. Knows nothing of how a limiter works.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol
from urllib.parse import urlsplit

from talkjs_async._core.clock import Clock
from talkjs_async.errors import ConfigurationError, shown
from talkjs_async.limits._limiter import Limiter
from talkjs_async.limits._registry import Registry
from talkjs_async.limits._rules import DOCUMENTED, SECONDS_PER_PROJECT, is_within
from talkjs_async.limits._token_bucket import TokenBucket


class Budgets(Protocol):
    """
    Where the budgets of an app are kept: what the option *budgets* of a client takes.

    Make one for each process and give it to all clients. Whatever makes it closes it, after the
    last client: a client never does.
    """

    def limiters(self, base_url: str, app_id: str, clock: Clock) -> tuple[Limiter, Limiter | None]:
        """
        Find the limiters of an app, the same ones each time.

        Args:
            base_url: Where the API is; a test server has its own budgets.
            app_id: Whose budgets they are.
            clock: Where the client takes time from.

        Returns:
            That of ordinary requests, and that of batches. None: no batches and no overflow.
        """
        ...

    async def aclose(self) -> None:
        """Close the limiters: calls that wait or come get `LimiterUnavailable`."""
        ...


class ProcessBudgets:
    """
    The budgets of all apps, inside one process.

    Args:
        share: The part of the budgets that this process may use. `1 / 4` in each of four processes
            divides both budgets evenly; what one of them does not need is lost to the others.

    Raises:
        ConfigurationError: *share* is not above 0 and at most 1.
    """

    def __init__(self, *, share: float = 1.0) -> None:
        if not is_within(share, 0.002, 1.0):
            raise ConfigurationError("share", f"a part of the budget, 0.002 to 1: {shown(share)}")
        self._share = share
        self._registry: Registry[TokenBucket] = Registry()

    def limiters(self, base_url: str, app_id: str, clock: Clock) -> tuple[TokenBucket, TokenBucket]:
        """Find the limiters of an app; see `Budgets.limiters`."""
        key = budget_key(base_url, app_id)
        ordinary, batch = (
            self._registry.get(
                (key, name),
                clock,
                partial(TokenBucket, rate * self._share, int(burst * self._share), clock=clock),
            )
            for name, (rate, burst) in DOCUMENTED.items()
        )
        return ordinary, batch

    async def aclose(self) -> None:
        """Close the limiters. Those that clients ask for later are new ones."""
        for limiter in self._registry.all():
            await limiter.aclose()


SHARED_BUDGETS: Final = ProcessBudgets()
"""What clients without *budgets* use."""


_anonymous: Final[Registry[TokenBucket]] = Registry()


def anonymous_limiter(base_url: str, clock: Clock) -> TokenBucket:
    """The limiter of this process for making anonymous projects: one in 30 s (documented)."""
    make = partial(TokenBucket, 1 / SECONDS_PER_PROJECT, 1, clock=clock)
    return _anonymous.get(budget_key(base_url, ""), clock, make)


class OwnBudgets:
    """
    Limiters of your own for one app.

    Args:
        ordinary: Any `Limiter`, for ordinary requests.
        batch: The same for batches. None: the client refuses batches and overflow.
    """

    def __init__(self, ordinary: Limiter, batch: Limiter | None = None) -> None:
        self.ordinary: Limiter = _checked("ordinary", ordinary)
        self.batch: Limiter | None = None if batch is None else _checked("batch", batch)

    def limiters(
        self,
        base_url: str,  # noqa: ARG002 - they are those of one app
        app_id: str,  # noqa: ARG002
        clock: Clock,  # noqa: ARG002
    ) -> tuple[Limiter, Limiter | None]:
        """Find the limiters; see `Budgets.limiters`."""
        return self.ordinary, self.batch

    async def aclose(self) -> None:
        """Close both, also when closing one of them fails."""
        try:
            await self.ordinary.aclose()
        finally:
            if self.batch is not None:
                await self.batch.aclose()


def budget_key(base_url: str, app_id: str) -> tuple[str, int | None, str]:
    """
    Say which budget a URL and an app mean, in however many ways they can be written.

    Host names are compared as DNS does, without the final dot, and a default port is that of its
    scheme.
    """
    parts = urlsplit(base_url.strip())
    host = (parts.hostname or "").removesuffix(".")
    if not host.isascii():
        host = host.encode("idna").decode()
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return host.lower(), port, app_id


def _checked(argument: str, limiter: Limiter) -> Limiter:
    if isinstance(limiter, type) or any(
        not callable(getattr(limiter, name, None)) for name in ("acquire", "statistics", "aclose")
    ):
        raise ConfigurationError(
            argument, f"must have the methods of talkjs_async.Limiter, unlike {shown(limiter)}."
        )
    return limiter
