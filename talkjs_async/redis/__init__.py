"""The same request budget for many processes and machines, in Redis or Valkey. Needs `[redis]`."""

from talkjs_async.redis._redis_budgets import RedisBudgets
from talkjs_async.redis._redis_limiter import RedisLimiter
from talkjs_async.redis._script import Script
from talkjs_async.redis._store import Store

__all__ = ["RedisBudgets", "RedisLimiter", "Script", "Store"]
