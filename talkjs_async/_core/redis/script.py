"""
The bucket inside Redis: what one script call does, asks and answers.

Redis runs a script from start to end without anybody in between, and its own clock is the only one
that all processes share. The bucket is one hash of about 200 bytes; its state is the moment at
which it will be full again, as in `Tokens`. Knows nothing of connections.

A token is charged when it is taken, because requests in flight cannot be counted across processes:
one that is killed would never give its count back. An interactive process that finds no token
reserves the next slots, which charges them. A background one gets a turn, a moment at which to ask
again, which charges nothing: the floor is not its to promise away. So nobody asks in vain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import attrs

_OPEN: Final = """
local a = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if a.now then now = a.now end
if a.deadline and now > a.deadline then
  return {'late', string.format('%.0f', now)}
end
local fields = redis.call('HMGET', KEYS[1], 'generation', 'full_at', 'epoch', 'resume_at', 'rate',
  'rate_at', 'learned', 'drained_at', 'owed', 'asked_at', 'turn_at')
local generation = fields[1]
local full_at, epoch, resume_at = tonumber(fields[2]), tonumber(fields[3]), tonumber(fields[4])
local rate, rate_at, learned = tonumber(fields[5]), tonumber(fields[6]), tonumber(fields[7])
local drained_at, owed, asked_at = tonumber(fields[8]), tonumber(fields[9]), tonumber(fields[10])
local turn_at = tonumber(fields[11])
if generation then
  -- A clock that went back, as after a failover, must not shut anybody out for hours.
  full_at = math.min(full_at, now + 2 * a.capacity * a.interval / rate + 60000000)
  resume_at = math.min(resume_at, now + 61000000)
  rate_at, asked_at = math.min(rate_at, now), math.min(asked_at, now)
  turn_at = math.min(turn_at, now + 2000000)
end
if not generation then
  generation = a.new_generation
  full_at, epoch, resume_at, rate, rate_at, learned = now, a.epoch, 0, 1, now, 0
  drained_at, owed, asked_at, turn_at = -1e15, -2, -1e15, 0
  if a.missing then
    full_at = now + a.grace + a.missing * a.interval
    resume_at = now + a.grace
  end
elseif a.generation and a.generation ~= generation then
  full_at = math.max(full_at, now + a.missing * a.interval)
elseif a.debit ~= 0 then
  if a.debit > 0 then full_at = math.max(full_at, now) end
  full_at = full_at + a.debit * a.interval / rate
end
if rate < 1 then
  local before = rate
  rate = math.min(1, rate + math.max(0, now - rate_at) * a.recovery)
  rate_at = now
  if full_at > now then full_at = now + (full_at - now) * before / rate end
end
local interval = a.interval / rate
local capacity = a.capacity - learned
local granted, reserved, wait = 0, 0, 0
"""

_TAKE: Final = """
if now < resume_at then
  wait = resume_at - now
elseif a.want > 0 then
  local base = math.max(full_at, now)
  local free = math.floor((now - base) / interval + capacity - a.floor + 1e-9)
  if a.floor > 0 and free < 1 and owed >= 1 then
    free = math.min(1, math.floor((now - base) / interval + capacity + 1e-9))
  end
  granted = math.max(0, math.min(a.want, free))
  full_at = base + granted * interval
  local spare = (now - full_at) / interval + capacity
  if granted == a.want and a.extra > 0 then
    local more = math.min(a.extra, math.floor(spare - math.max(a.floor, capacity / 2)))
    if more > 0 then
      granted = granted + more
      full_at = full_at + more * interval
    end
  end
  local lately = now - asked_at < 3000000
  if granted < a.want then
    -- When the next one may be had, at the earliest.
    local due = full_at + (1 - capacity + a.floor) * interval
    wait = math.max(0, due - now)
    if a.background then
      local turn = math.max(turn_at, due - interval, now)
      turn = turn + math.min(a.slots, a.want - granted) * interval
      if turn <= now + a.horizon then
        turn_at = turn
        wait = turn - now
      end
      asked_at = now
    else
      while reserved < a.slots and granted + reserved < a.want
          and wait + reserved * interval <= a.horizon do
        reserved = reserved + 1
      end
      full_at = full_at + reserved * interval
    end
  end
  if a.background then
    owed = lately and math.max(owed - granted, -2) or -2
  elseif lately then
    owed = owed + (granted + reserved) / 9
  end
end
local members = 0
if a.member then
  redis.call('ZADD', KEYS[2], now, a.member)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 10000000)
  redis.call('PEXPIRE', KEYS[2], a.expiry)
  members = redis.call('ZCARD', KEYS[2])
end
"""

_DRAIN: Final = """
if a.drained >= epoch then
  epoch = epoch + 1
  learned = math.min(learned + a.debt * rate, a.most_learned)
  capacity = a.capacity - learned
  if now - drained_at < a.suspicious then
    local before = rate
    rate = math.max(rate * a.cut, a.least)
    rate_at = now
    if full_at > now then full_at = now + (full_at - now) * before / rate end
    interval = a.interval / rate
  end
  drained_at = now
  resume_at = math.max(resume_at, now + math.max(a.pause + interval, a.retry_after))
elseif a.retry_after > 0 then
  resume_at = math.max(resume_at, now + a.retry_after)
end
if resume_at > now then
  full_at = math.max(full_at, resume_at + (capacity - 1) * interval)
  wait = resume_at - now
end
local members = 0
"""

_CLOSE: Final = """
redis.call('HSET', KEYS[1], 'generation', generation, 'full_at', string.format('%.3f', full_at),
  'epoch', epoch, 'resume_at', string.format('%.0f', resume_at),
  'rate', string.format('%.9f', rate), 'rate_at', string.format('%.0f', rate_at),
  'learned', string.format('%.6f', learned), 'drained_at', string.format('%.0f', drained_at),
  'owed', string.format('%.9f', owed), 'asked_at', string.format('%.0f', asked_at),
  'turn_at', string.format('%.0f', turn_at))
redis.call('PEXPIRE', KEYS[1], a.expiry)
return {'done', string.format('%.0f', now), generation, granted, reserved,
  string.format('%.3f', wait), epoch, string.format('%.6f', math.max(0, full_at - now) / interval),
  string.format('%.9f', rate), string.format('%.6f', learned), members,
  string.format('%.0f', math.max(0, resume_at - now))}
"""

_EXPIRY_MS: Final = 24 * 3600 * 1000
"""A bucket that nobody has touched for a day is full: its key may go."""


@attrs.frozen
class Script:
    """
    Lua code that Redis runs.

    Attributes:
        code: The source.
        sha: Its SHA-1 in hexadecimal, the name under which Redis keeps it.
    """

    code: str
    sha: str


def _script(*parts: str) -> Script:
    code = "".join(parts)
    return Script(code, hashlib.sha1(code.encode(), usedforsecurity=False).hexdigest())


TAKE: Final = _script(_OPEN, _TAKE, _CLOSE)
DRAIN: Final = _script(_OPEN, _DRAIN, _CLOSE)


@attrs.frozen(kw_only=True)
class Reply:
    """
    What a script answers. Times are in seconds.

    Attributes:
        now: The clock of the bucket.
        generation: Which life of the key this is; another one means that it was lost in between.
        granted: Tokens to use at once.
        reserved: Tokens to use from *wait* on, one per *interval*.
        wait: Until the first reserved token; without one, until it is worth asking again.
        epoch: How many herds of 429s there were.
        missing: Tokens that the bucket lacks to be full.
        rate: Part of the full rate that is in use.
        learned: Tokens of the burst that 429s taught not to use.
        members: Processes seen lately. 0 when that was not asked.
        paused: Until anybody is granted anything again, after a 429.
    """

    now: float
    generation: str
    granted: int
    reserved: int
    wait: float
    epoch: int
    missing: float
    rate: float
    learned: float
    members: int
    paused: float


def arguments(**values: Any) -> str:
    """The argument of a script call. None means "not given"."""
    return json.dumps({name: value for name, value in values.items() if value is not None})


def expiring(**values: Any) -> str:
    """The same, with how long the keys live."""
    return arguments(expiry=_EXPIRY_MS, **values)


def read(answer: Sequence[Any]) -> Reply | None:
    """
    Read what a script returned: texts, bytes and integers.

    Returns:
        None when the call came too late and nothing was done.
    """
    texts = [each.decode() if isinstance(each, bytes) else str(each) for each in answer]
    if texts[0] == "late":
        return None
    return Reply(
        now=int(texts[1]) / 1e6,
        generation=texts[2],
        granted=int(texts[3]),
        reserved=int(texts[4]),
        wait=float(texts[5]) / 1e6,
        epoch=int(texts[6]),
        missing=float(texts[7]),
        rate=float(texts[8]),
        learned=float(texts[9]),
        members=int(texts[10]),
        paused=float(texts[11]) / 1e6,
    )
