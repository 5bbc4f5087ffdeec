"""
The bucket inside Redis: what one script call does, asks and answers.

Redis runs a script from start to end without anybody in between, and its own clock is the only one
that all processes share. The bucket is one hash of about 300 bytes; its state is the moment at
which it will be full again, as in `Level`. Times are in seconds. Knows nothing of connections.

A token is charged when it is taken, because requests in flight cannot be counted across processes:
one that is killed would never give its count back. An interactive process that finds no token
reserves the next slots, which charges them. A background one gets a turn, a moment at which to ask
again, which charges nothing: the reserve is not its to promise away. So no process asks in vain.
What is owed to background, lest it starve, is kept for it as well, out of the reserve if need be.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import attrs

_OPEN: Final = """
local a = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = a.now or time[1] + time[2] / 1000000
if a.deadline and now > a.deadline then
  return cjson.encode({late = true, now = now})
end

local names = {'full_at', 'resume_at', 'drained_at', 'rate_at', 'asked_at', 'turn_at', 'seen_at',
  'epoch', 'rate', 'learned', 'owed'}
local s = {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
  s[names[i]] = tonumber(value)
end
local generation = redis.call('HGET', KEYS[1], 'generation')

if not generation then
  generation = a.new_generation
  local never = -1000000000
  s = {full_at = now, resume_at = never, drained_at = never, rate_at = now, asked_at = never,
    turn_at = never, seen_at = now, epoch = a.epoch, rate = 1, learned = 0, owed = -2}
  if a.missing then
    -- The data is gone. Others may be about to report what they use meanwhile.
    s.resume_at = now + a.grace
    s.full_at = now + a.missing * a.interval
  end
elseif a.generation and a.generation ~= generation then
  s.full_at = math.max(s.full_at, now + a.missing * a.interval)
elseif a.debit ~= 0 then
  -- While a process was away, the bucket did not get full: it was used all the time.
  if a.debit > 0 then s.full_at = math.max(s.full_at, now - a.away) end
  s.full_at = s.full_at + a.debit * a.interval / s.rate
end

local back = s.seen_at - now
if back > 0 then
  -- The clock was set back, as after a failover: go on as if no time had passed.
  for i = 1, 7 do s[names[i]] = s[names[i]] - back end
end
s.seen_at = now

local function set_rate(rate)
  -- The tokens stay what they are, so the time until they are complete changes.
  if s.full_at > now then s.full_at = now + (s.full_at - now) * s.rate / rate end
  s.rate, s.rate_at = rate, now
end

if s.rate < 1 then set_rate(math.min(1, s.rate + (now - s.rate_at) * a.recovery)) end
local interval = a.interval / s.rate
local capacity = a.capacity - s.learned
local granted, reserved, wait, members = 0, 0, 0, 0
"""

_TAKE: Final = """
local function free(reserve)
  -- Redis's clock counts in microseconds: what lacks less than that is there.
  return math.floor((now - s.full_at) / interval + capacity - reserve + 0.00001)
end

if now < s.resume_at then
  wait = s.resume_at - now
elseif a.want > 0 then
  s.full_at = math.max(s.full_at, now)
  granted = math.max(0, math.min(a.want, free(a.reserve)))
  s.full_at = s.full_at + granted * interval
  if granted == a.want then
    -- While the bucket is half full, a busy process may fetch ahead.
    local more = math.min(a.extra, free(math.max(a.reserve, capacity / 2)))
    if more > 0 then
      granted = granted + more
      s.full_at = s.full_at + more * interval
    end
  else
    local owed = a.background and s.owed >= 1
    local reserve = owed and 0 or a.reserve
    wait = math.max(0, s.full_at - now + (1 + reserve - capacity) * interval)
    if a.background and not owed then
      local turn = math.max(s.turn_at, now + wait - interval, now)
        + math.min(a.slots, a.want - granted) * interval
      if turn <= now + a.horizon then
        s.turn_at = turn
        wait = turn - now
      end
    else
      local most = owed and math.min(a.slots, math.floor(s.owed)) or a.slots
      local soon = math.floor((a.horizon - wait) / interval) + 1
      reserved = math.max(0, math.min(most, a.want - granted, soon))
      s.full_at = s.full_at + reserved * interval
    end
  end

  -- While background asks in vain, every tenth grant is to be its own.
  local lately = now - s.asked_at < 3
  if a.background then
    s.owed = lately and math.max(s.owed - granted - reserved, -2) or -2
    if granted < a.want then s.asked_at = now end
  elseif lately then
    s.owed = s.owed + (granted + reserved) / 9
  end
end

if a.member then
  redis.call('ZADD', KEYS[2], now, a.member)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 10)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], now + 1, '+inf')
  redis.call('EXPIRE', KEYS[2], a.expiry)
  members = redis.call('ZCARD', KEYS[2])
end
"""

_DRAIN: Final = """
if a.drained >= s.epoch then
  s.epoch = s.epoch + 1
  s.learned = math.min(s.learned + a.debt * s.rate, a.most_learned)
  capacity = a.capacity - s.learned
  if now - s.drained_at < a.suspicious then
    set_rate(math.max(s.rate * a.cut, a.least))
    interval = a.interval / s.rate
  end
  s.drained_at = now
  s.resume_at = math.max(s.resume_at, now + math.max(a.pause + interval, a.retry_after))
else
  s.resume_at = math.max(s.resume_at, now + a.retry_after)
end
if s.resume_at > now then
  s.full_at = math.max(s.full_at, s.resume_at + (capacity - 1) * interval)
end
"""

_CLOSE: Final = """
local fields = {'generation', generation}
for name, value in pairs(s) do
  fields[#fields + 1] = name
  fields[#fields + 1] = string.format('%.17g', value)
end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('EXPIRE', KEYS[1], a.expiry)
return cjson.encode({late = false, now = now, generation = generation, granted = granted,
  reserved = reserved, wait = wait, epoch = s.epoch, rate = s.rate, learned = s.learned,
  missing = math.max(0, s.full_at - now) / interval, members = members,
  paused = math.max(0, s.resume_at - now)})
"""

_EXPIRY: Final = 24 * 3600
"""Seconds. A bucket that nobody has touched for a day is full: its key may go."""


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
class ScriptAnswer:
    """
    What a script answers.

    Attributes:
        now: The clock of the bucket, to a tenth of a millisecond.
        generation: Which life of the key this is; another one means that it was lost in between.
        granted: Tokens to use at once.
        reserved: Tokens to use from *wait* on, one per interval.
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


@attrs.frozen
class TooLate:
    """The answer after the deadline of the call: nothing was done. *now* as in `ScriptAnswer`."""

    now: float


def argument(**values: Any) -> str:
    """The one argument of a script call. None means "not given"."""
    given = {name: value for name, value in values.items() if value is not None}
    return json.dumps({**given, "expiry": _EXPIRY})


def read(answer: str | bytes) -> ScriptAnswer | TooLate:
    """Read what a script returned."""
    values: dict[str, Any] = json.loads(answer)
    if values.pop("late"):
        return TooLate(values["now"])
    return ScriptAnswer(**values)
