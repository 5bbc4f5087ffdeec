"""What `talkjs.budget` shows."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True, repr=False)
class Budget:
    """
    The budget at one moment.

    Attributes:
        tokens: Requests that could leave at once. Negative after a 429, and when more are in flight
            than the bucket holds. All of the burst while a store has not been asked yet.
        burst: The most that the bucket holds, in requests.
        rate: Requests per second that the server is documented to allow.
        effective_rate: Requests per second that are used of it. Lower after 429s.
        in_flight: Requests that were granted and are not answered.
        max_in_flight: The most that may be. None for no bound.
        waiting_interactive, waiting_background: Calls that queue, per lane.
        estimated_wait: Seconds until a new interactive call would be granted.
        estimated_wait_background: The same for a new background call.
        paused_for: Seconds in which no token is granted, after a 429. Mostly 0.
        granted: Attempts that this process let through so far.
        throttled: 429s that it has seen so far.
        background_reserve: Tokens that background calls leave alone.
        answer_time: Seconds that a request was on its way lately, in the mean. 0 when none was.
        kept_in: Where the tokens are: in this "process", in a "store" for all processes, or in this
            process "alone" because the store is away.
    """

    tokens: float
    burst: int
    rate: float
    effective_rate: float
    in_flight: int
    max_in_flight: int | None
    waiting_interactive: int
    waiting_background: int
    estimated_wait: float
    estimated_wait_background: float
    paused_for: float
    granted: int
    throttled: int
    background_reserve: int = 0
    answer_time: float = 0.0
    kept_in: Literal["process", "store", "alone"] = "process"

    def __repr__(self) -> str:
        cap = "" if self.max_in_flight is None else f" of {self.max_in_flight}"
        pause = f"paused for {self.paused_for:.1f} s; " if self.paused_for else ""
        return (
            f"<Budget {self.tokens:.1f} of {self.burst} tokens, +{self.effective_rate:.2f}/s; "
            f"{pause}{self.in_flight}{cap} in flight; "
            f"waiting {self.waiting_interactive} interactive ({self.estimated_wait:.2f} s), "
            f"{self.waiting_background} background ({self.estimated_wait_background:.2f} s); "
            f"{self.granted} granted, {self.throttled} throttled"
            f"{'' if self.kept_in == 'process' else f'; kept in {self.kept_in}'}>"
        )
