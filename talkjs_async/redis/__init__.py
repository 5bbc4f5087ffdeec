"""
The same request budget for many processes and machines, in Redis or Valkey. Needs `[redis]`.

**The protocol.** One bucket per app, server and endpoint class. A token that was granted is *open*
until its answer is in, and refills from then on, as in `Level`; so the bucket has
`burst - open - refilling` tokens left. There is one script (`_script`), which is one *question*.

Keys and what they hold:

- the bucket, a hash: when all that was used will have refilled, the sums, what 429s taught. It
  expires after a day, and then means: full.
- the members, a hash: for each process its last question's number and time, how many permits it
  has ever settled, and how many of its tokens are open. Sums are counted anew once a second.
- the marker, which never expires: there was a bucket. Without it and without a bucket, nothing is
  known, and the bucket starts with `tokens=`, by default none.

Each process writes only its own member, and what follows from it for the bucket. It says absolute
numbers, never differences: a question or an answer that is lost, late or doubled changes nothing
that the next one does not put right. With each question goes what the process saw last: the
bucket's *generation* (one life of the data), its version, how many tokens were gone, and what time
it should be.

What happens, and who mends it:

- *The store has less than a process saw* (empty, an old snapshot, a replica that lags, a key that
  was evicted or damaged): the bucket gets a new generation, and as many tokens are gone as that
  process saw, and no burst is left. Other processes see another generation, and say what they saw,
  too.
- *A process does not get through*: it goes on by `on_outage`, each with the part of the rate that
  it used lately (`_outage`), and counts. Its next question says so by itself.
- *The store was away for all*: the first process that is back finds that nothing was asked
  meanwhile. Until all have had time to say what they used, none is granted anything, and each goes
  on with its share.
- *A process dies*: ten seconds later its open tokens count as used. One that is closed says so.
- *The clock of Redis jumps*: set back, it stands still; set forward, the first process that notices
  sets the bucket's time back.
- *Processes have different settings*: the smaller ones hold for all, and the others are told.
- *A 429*: one drain and one pause per throttle generation, for all processes.
- *The event loop that asks is stuck*: a task of another one takes over (`_fetcher`).
"""

from talkjs_async.redis._redis_budgets import RedisBudgets
from talkjs_async.redis._redis_limiter import RedisLimiter
from talkjs_async.redis._script import Script
from talkjs_async.redis._store import Store

__all__ = ["RedisBudgets", "RedisLimiter", "Script", "Store"]
