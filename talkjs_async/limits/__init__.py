"""
The request budget: which call may leave now, which one waits, and what a 429 means.

Knows time and numbers, nothing of HTTP. Called once per attempt by the pipeline. Documented limits
of TalkJS (read 2026-11-22): a burst of 600 requests and 9 per second for each app ID, for
`POST /batch` 500 and 1 per second.
"""

from talkjs_async.limits._budget import Budget
from talkjs_async.limits._budgets import (
    SHARED_BUDGETS,
    Budgets,
    OwnBudgets,
    ProcessBudgets,
    anonymous_limiter,
)
from talkjs_async.limits._limiter import Limiter
from talkjs_async.limits._permit import Outcome, Permit
from talkjs_async.limits._token_bucket import TokenBucket

__all__ = [
    "SHARED_BUDGETS",
    "Budget",
    "Budgets",
    "Limiter",
    "Outcome",
    "OwnBudgets",
    "Permit",
    "ProcessBudgets",
    "TokenBucket",
    "anonymous_limiter",
]
