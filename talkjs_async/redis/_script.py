"""
The bucket inside Redis: what one script call does, asks and answers.

The head of this package says what the protocol is. Redis runs a script from start to end without
anything in between. Times are in seconds, of the bucket's own time: Redis's clock, less what it was
seen to jump. Knows nothing of connections.
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs

from talkjs_async.limits._throttling import (
    CUT,
    DEBT,
    DOUBLING,
    LEAST_RATE,
    LEAST_RECOVERY,
    MARGIN,
    RECOVERY,
    STORM,
    SUSPICIOUS,
)

HORIZON: Final = 3.0
"""Seconds. Later tokens are not promised: an interactive call of another process may come first."""

_SLOTS: Final = 3
"""
Tokens that one process gets at its turn, at most: a third of a question per token. With many
processes it gets fewer, so that all have a turn within the horizon.
"""

GRACE: Final = 1.0
"""
Seconds for which a process still keeps to its share when Redis is back: longer than the longest
pause between attempts, so that all have said what they used before any of them takes again.
"""

LIFE: Final = 10.0
"""Seconds after which a process that said nothing counts as gone, and its tokens as used."""

USE_COUNTS_FOR: Final = 10.0
"""Seconds in which what a process used loses two thirds of its weight in the shares."""

_EXPIRY: Final = 24 * 3600
"""Seconds. A bucket that was not touched for a day is full: its keys may go, all but the marker."""

_OPEN: Final = """
local a = cjson.decode(ARGV[1])
local bucket, members, marker = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local clock = a.clock or time[1] + time[2] / 1000000
local names = {'version', 'offset', 'born_at', 'seen_at', 'back_at', 'swept_at', 'grace_until',
  'members', 'open', 'full_at', 'resume_at', 'drained_at', 'throttled_since', 'recovered_at',
  'epoch', 'part', 'learned', 'asked_at', 'turn_at', 'owed', 'used', 'used_at', 'rate', 'burst',
  'rate_at', 'burst_at'}
local b, whole = {}, true
for i, value in ipairs(redis.call('HMGET', bucket, unpack(names))) do
  local number = tonumber(value or nil)
  b[names[i]] = number
  -- NaN is not itself.
  whole = whole and number and number == number
end
local generation = redis.call('HGET', bucket, 'generation')
local saw_this = generation and generation == a.generation
local fresh = not whole

-- The time of the bucket. A clock that was set back stands still. For a question that comes long
-- after it was asked, nothing is done: it was delayed, and its process has given up; or the clock
-- was set forward, and the process, which knows how long it waited, asks again and is sure.
local never = -1000000000
if fresh then
  b = {version = 0, offset = 0, seen_at = never, swept_at = never, grace_until = never, members = 0,
    open = 0, full_at = never, resume_at = never, drained_at = never, throttled_since = never,
    recovered_at = never, epoch = 0, part = 1, learned = 0, asked_at = never, turn_at = never,
    owed = -2, used = 0, used_at = never, rate = a.rate, rate_at = clock, burst = a.burst,
    burst_at = clock}
end
local now = clock - b.offset
if now < b.seen_at then
  now = b.seen_at
elseif saw_this and a.sure then
  now = math.max(b.seen_at, math.min(now, a.expected))
elseif saw_this and now > a.expected + a.late then
  return cjson.encode({undone = true})
end
b.offset = clock - now
if now - b.seen_at > 1 then b.back_at = now end
b.seen_at = now
b.version = b.version + 1

-- The settings: the strictest in recent use hold for all.
local interval = 1 / (b.rate * b.part)
local function rescale()
  -- The tokens stay what they are, so the time until they are complete changes.
  local new = 1 / (b.rate * b.part)
  if b.full_at > now then b.full_at = now + (b.full_at - now) * new / interval end
  interval = new
end
for _, name in ipairs({'rate', 'burst'}) do
  local at = name .. '_at'
  if a[name] <= b[name] or now - b[at] > c.life then b[name], b[at] = a[name], now end
end
if b.part < 1 then
  local span, quiet = b.drained_at - b.throttled_since, now - b.drained_at
  local speed = math.max(c.recovery * math.min(1, (c.storm / math.max(span, 1)) ^ 2),
    c.least_recovery) * 2 ^ math.min(quiet / c.doubling, 10)
  b.part = math.min(1, b.part + (now - b.recovered_at) * math.min(speed, c.recovery))
  b.recovered_at = now
end
rescale()
local capacity = b.burst - b.learned
local function missing() return math.max(0, b.full_at - now) / interval end

-- Does the store know what the asker saw? If not, what that one saw counts.
local number, settled, open
local record = redis.call('HGET', members, a.member)
if record then
  number, settled, open = string.match(record, '^(%d+) (%d+) (%d+) ')
  number, settled, open = tonumber(number), tonumber(settled), tonumber(open)
  if saw_this and number >= a.number then
    -- It has given up this question, and asked another one since.
    return cjson.encode({undone = true})
  end
end
local gone, lost
if fresh then
  local idle = not a.generation and redis.call('EXISTS', marker) == 1
    and redis.call('EXISTS', members) == 0
  if a.generation then lost = 'gone' end
  gone = idle and 0 or a.generation and a.gone or b.burst - a.tokens
elseif saw_this and (b.version <= a.version or record and number < a.answered
    or not record and a.elapsed < c.life / 2) then
  lost = 'older'
  gone = math.max(a.gone, b.open + missing())
elseif a.generation and not saw_this then
  gone = b.open + missing()
end
if fresh or lost then
  generation, record = a.new_generation, false
  b.open, b.born_at = 0, now
  redis.call('DEL', members)
end
if gone and a.generation then
  -- What it saw before this data was made, long ago, does not count any more.
  if a.elapsed < now - b.born_at + c.horizon then gone = math.max(gone, a.gone) end
  b.epoch = math.max(b.epoch, a.epoch)
  b.part = math.min(b.part, a.part)
  b.recovered_at = now
  rescale()
  b.resume_at = math.max(b.resume_at, now + a.paused)
end

-- Was the store away, or only from the asker? Until all have said what they used, none gets more.
if a.away and b.back_at >= now - a.away then
  b.grace_until = math.max(b.grace_until, b.back_at + c.grace)
end

-- What each one says of itself replaces what it said before.
b.open = b.open + a.open - (record and open or 0)
if gone then
  b.full_at = now + math.max(0, gone - b.open) * interval
elseif a.settled > (settled or a.acknowledged) then
  -- All of it refills one after the other. What one process used alone refills later than `lead`
  -- at the soonest; what it used as its share, beside others that did so, since it was cut off.
  local count = a.settled - (settled or a.acknowledged)
  b.full_at = math.max(b.full_at + count * interval,
    a.lead and now + a.lead or now - a.away + count * interval)
  -- The server is empty at worst: what it refused, it does not count.
  if a.away then b.full_at = math.min(b.full_at, now + capacity * interval) end
end
if a.leaving then
  b.open = b.open - a.open
  b.full_at = math.max(b.full_at, now) + a.open * interval
end
local fading = math.exp(math.max(b.used_at - now, -1000) / c.use_counts_for)
b.used = math.max(0, b.used * fading - (a.leaving or 0))
b.used_at = now
"""

_TAKE: Final = """
local granted, reserved, wait = 0, 0, 0
if a.drained then
  if a.drained >= b.epoch then
    b.epoch = b.epoch + 1
    b.learned = math.min(b.learned + c.debt * b.rate * b.part,
      math.max(0, math.min(b.burst * c.margin, b.burst - 1 - a.kept)))
    capacity = b.burst - b.learned
    if now - b.drained_at < c.suspicious then
      b.part = math.max(b.part * c.cut, c.least)
      b.recovered_at = now
      rescale()
    else
      b.throttled_since = now
    end
    b.drained_at = now
    b.resume_at = math.max(b.resume_at, now + math.max(c.debt + interval, a.retry_after))
  else
    b.resume_at = math.max(b.resume_at, now + a.retry_after)
  end
  b.full_at = math.max(b.full_at, b.resume_at + (capacity - 1) * interval)
end

local function free(reserve)
  -- Redis's clock counts in microseconds: what lacks less than that is there.
  return math.floor(capacity - b.open - missing() - reserve + 0.00001)
end

-- All are to have a turn within the horizon, and half of a small bucket is to be refilling.
local slots = math.floor(math.min(c.horizon / interval, capacity / 2) / math.max(b.members, 1))
slots = math.max(1, math.min(c.slots, slots))
local closed_until = math.max(b.resume_at, b.grace_until)
if now < closed_until then
  wait = closed_until - now
elseif a.want > 0 then
  granted = math.max(0, math.min(a.want, free(a.reserve)))
  b.open = b.open + granted
  if granted == a.want then
    -- While the bucket is half full, a busy process may fetch ahead.
    local more = math.max(0, math.min(a.extra, free(math.max(a.reserve, capacity / 2))))
    granted = granted + more
    b.open = b.open + more
  else
    local owed = a.background and b.owed >= 1
    local reserve = owed and 0 or a.reserve
    local lacking = 1 + reserve - (capacity - b.open - missing())
    local refilling = math.floor(missing() - lacking + 0.00001) + 1
    wait = lacking * interval
    if refilling < 1 then
      -- What lacks is in flight: it refills from its answer on, whenever that is.
      wait = -1
    elseif a.background and not owed then
      local turn = math.max(b.turn_at, now + wait - interval, now)
        + math.min(slots, a.want - granted) * interval
      if turn <= now + c.horizon then
        b.turn_at = turn
        wait = turn - now
      end
    else
      local most = owed and math.min(slots, math.floor(b.owed)) or slots
      local soon = math.floor((c.horizon - wait) / interval) + 1
      reserved = math.max(0, math.min(most, a.want - granted, soon, refilling))
      b.open = b.open + reserved
    end
  end

  -- While background asks in vain, every tenth grant is to be its own.
  local lately = now - b.asked_at < 3
  if a.background then
    b.owed = lately and math.max(b.owed - granted - reserved, -2) or -2
    if granted < a.want then b.asked_at = now end
  elseif lately then
    b.owed = b.owed + (granted + reserved) / 9
  end
end
b.used = b.used + granted + reserved
"""

_CLOSE: Final = """
if a.leaving then
  redis.call('HDEL', members, a.member)
else
  if not record then b.members = b.members + 1 end
  redis.call('HSET', members, a.member, string.format('%d %d %d %.3f',
    a.number, a.settled, a.open + granted + reserved, now))
end
if now - b.swept_at >= 1 then
  -- The sums, counted anew; who said nothing for long is gone, and what it had is used.
  b.swept_at, b.open, b.members = now, 0, 0
  local all = redis.call('HGETALL', members)
  for i = 1, #all, 2 do
    local count, said_at = string.match(all[i + 1], '^%d+ %d+ (%d+) (.+)$')
    count, said_at = tonumber(count) or 0, tonumber(said_at) or never
    if now - math.max(said_at, b.grace_until) > c.life then
      redis.call('HDEL', members, all[i])
      b.full_at = math.max(b.full_at, now) + count * interval
    else
      b.open = b.open + count
      b.members = b.members + 1
    end
  end
  redis.call('SET', marker, 'this bucket was in use')
end
local fields = {'generation', generation}
for name, value in pairs(b) do
  fields[#fields + 1] = name
  fields[#fields + 1] = string.format('%.17g', value)
end
redis.call('HSET', bucket, unpack(fields))
redis.call('EXPIRE', bucket, c.expiry)
redis.call('EXPIRE', members, c.expiry)
return cjson.encode({undone = false, now = now, generation = generation, version = b.version,
  granted = granted, reserved = reserved, wait = wait, epoch = b.epoch, rate = b.rate,
  burst = b.burst, part = b.part, free = capacity - b.open - missing(), missing = missing(),
  members = b.members, used = b.used, paused = math.max(0, b.resume_at - now),
  grace = math.max(0, b.grace_until - now), lost = lost})
"""


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


_CONSTANTS: Final = {
    "recovery": RECOVERY,
    "least_recovery": LEAST_RECOVERY,
    "storm": STORM,
    "doubling": DOUBLING,
    "debt": DEBT,
    "suspicious": SUSPICIOUS,
    "cut": CUT,
    "least": LEAST_RATE,
    "margin": MARGIN,
    "horizon": HORIZON,
    "slots": _SLOTS,
    "life": LIFE,
    "use_counts_for": USE_COUNTS_FOR,
    "expiry": _EXPIRY,
    "grace": GRACE,
}
_LINES: Final = "".join(f"{name} = {value}, " for name, value in _CONSTANTS.items())
_CODE: Final = f"local c = {{{_LINES}}}\n{_OPEN}{_TAKE}{_CLOSE}"

ASK: Final = Script(_CODE, hashlib.sha1(_CODE.encode(), usedforsecurity=False).hexdigest())
