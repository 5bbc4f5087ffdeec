"""
Plans for what goes wrong, before or after the commit.

Two requests that look the same to a client (the connection broke) need opposite verdicts,
depending on whether the server had already done the work. So every fault knows its place
relative to the commit, and every plan counts how often it fired.

A fault is named by a string; `FAULT_TYPES` lists them, `docs/reference/faults.md` is made of that.

The work is done before `truncate...`, `truncated-json`, `empty-200`, `bad-gzip` and `garbage`;
append `-before-commit` to have it not done. Over TCP a connection cannot be refused any more when
the request is here, so there `refuse` resets it.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from email.utils import formatdate

import attrs

from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._numbers import check_number
from talkjs_async.emulator._patterns import can_meet, pattern_of, request_pattern
from talkjs_async.emulator._responses import Cut, Response, json_response

__all__ = ["FAULT_TYPES", "Fault", "FaultType", "Faults", "Plan"]


@attrs.frozen
class FaultType:
    """One thing that can go wrong: an id, or an example of one, and what happens."""

    id: str
    meaning: str


FAULT_TYPES = (
    FaultType("return-503", "The answer is this error (200 to 599); nothing was done."),
    FaultType("return-503-after-commit", "The work was done, the answer is an error all the same."),
    FaultType("return-429-retry-after-2", "The same with `Retry-After`, in seconds."),
    FaultType("return-429-retry-after-2-date", "The same with `Retry-After` as an HTTP date."),
    FaultType("return-502-html", "An error page instead of JSON; nothing was done."),
    FaultType("refuse", "The connection is refused: the server never sees the request."),
    FaultType(
        "drop-before-commit", "The connection is closed without an answer; nothing was done."
    ),
    FaultType("drop-after-commit", "The work was done, then the connection is closed."),
    FaultType("reset-before-commit", "The connection is reset; nothing was done."),
    FaultType("reset-after-commit", "The work was done, then the connection is reset."),
    FaultType("stall-before-commit", "No answer ever comes; nothing was done."),
    FaultType("stall-after-commit", "The work was done, but no answer ever comes."),
    FaultType("truncate-after-commit", "Half of the body arrives, then the connection is closed."),
    FaultType("truncated-json", "Half of the body arrives, with a matching length."),
    FaultType("empty-200", "A 200 whose body is empty."),
    FaultType("bad-gzip", "A 200 whose body is not what its encoding says."),
    FaultType("garbage", "Bytes that are not HTTP."),
    FaultType("latency-0.5", "The answer is that many seconds late."),
)
"""Every type of fault. A status, a number of seconds may be another one."""

_HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
_ID = re.compile(
    r"(?P<what>return|refuse|drop|reset|stall|truncate|truncated-json|empty-200|bad-gzip|garbage"
    r"|latency)"
    r"(?:(?<=return)-(?P<status>[2-5]\d\d)(?:-retry-after-(?P<retry>\d{1,9}(?:\.\d{1,9})?)"
    r"(?P<date>-date)?)?"
    r"(?P<html>-html)?)?"
    r"(?:(?<=latency)-(?P<seconds>\d{1,9}(?:\.\d{1,9})?))?"
    r"(?:-(?P<phase>before|after)-commit)?"
)
_CUTS: dict[str, Cut] = {
    "refuse": "refuse",
    "drop": "drop",
    "reset": "reset",
    "stall": "stall",
    "truncate": "truncate",
    "garbage": "garbage",
}
_NEED_A_PHASE = ("drop", "reset", "stall")
_BEFORE_BY_DEFAULT = ("return", "refuse", "latency")


@attrs.frozen
class Fault(ListsAttributes):
    """One thing that goes wrong, read from its id."""

    id: str
    what: str
    after_commit: bool
    before_admission: bool
    """It happens before the rate limit sees the request."""
    status: int = 0
    retry_after: str | None = None
    retry_after_as_date: bool = False
    html: bool = False
    seconds: float = 0.0

    @classmethod
    def parse(cls, id_: str) -> "Fault":
        """Read a fault's id; `ValueError` when there is no such fault."""
        match = _ID.fullmatch(str(id_))
        if match is None:
            there_are = ", ".join(fault.id for fault in FAULT_TYPES)
            raise ValueError(f"There is no fault {id_!r}. There are: {there_are}.")
        what, phase = match["what"], match["phase"]
        if what == "return" and match["status"] is None:
            raise ValueError(f"The fault {id_!r} needs a status, as in 'return-503'.")
        if what == "latency" and match["seconds"] is None:
            raise ValueError(f"The fault {id_!r} needs seconds, as in 'latency-0.5'.")
        if what in _NEED_A_PHASE and phase is None:
            raise ValueError(f"The fault {id_!r} must end in '-before-commit' or '-after-commit'.")
        if what in ("refuse", "latency") and phase is not None:
            raise ValueError(f"The fault {what!r} has no commit to be before or after.")
        after_commit = phase == "after" if phase else what not in _BEFORE_BY_DEFAULT
        return cls(
            id=id_,
            what=what,
            after_commit=after_commit,
            before_admission=what == "refuse" or (match["status"] == "429" and not after_commit),
            status=int(match["status"] or 0),
            retry_after=match["retry"],
            retry_after_as_date=match["date"] is not None,
            html=match["html"] is not None,
            seconds=float(match["seconds"] or 0),
        )

    def spoil(self, response: Response, now: float) -> Response:
        """
        Return what becomes of an answer.

        Args:
            response: What the server would have sent.
            now: Unix time in seconds, for `Retry-After` as a date.
        """
        if self.what == "return":
            return self._error(now)
        if self.what in _CUTS:
            response.cut = _CUTS[self.what]
        elif self.what == "truncated-json":
            response.body = response.body[: max(1, len(response.body) // 2)]
        elif self.what == "empty-200" and response.status == 200:
            # A refusal stays one: an empty success would say that it was carried out.
            response = Response(200, b"")
        elif self.what == "bad-gzip":
            response.headers = (*response.headers, (b"content-encoding", b"gzip"))
        return response

    def _error(self, now: float) -> Response:
        if self.html:
            answer = Response(self.status, _HTML, ((b"content-type", b"text/html"),))
        else:
            body = {"errorCode": "EMULATED_FAULT", "reasons": [f"The fault {self.id} fired."]}
            answer = json_response(self.status, body)
        if self.retry_after is not None:
            value = self.retry_after
            if self.retry_after_as_date:
                # An HTTP date has whole seconds: round up, never ask to come back too early.
                value = formatdate(math.ceil(now + float(value)), usegmt=True)
            answer.headers = (*answer.headers, (b"retry-after", value.encode()))
        return answer


@attrs.define(eq=False, kw_only=True)
class Plan(ListsAttributes):
    """
    When a fault fires.

    Attributes:
        number: Position among all plans, from 1.
        fault: What happens.
        on, p, first, nth: As given to `Faults.add`.
        until: Monotonic seconds on the emulator's clock.
        fired: How often it has happened.
        seen: How many requests it could have happened to.
    """

    number: int
    fault: Fault
    on: str | None
    p: float
    first: int | None
    nth: frozenset[int] | None
    until: float
    pattern: re.Pattern[str] | None
    random: random.Random
    fired: int = 0
    seen: int = 0

    @property
    def left(self) -> int | None:
        """How often it still has to fire. None when that was never fixed."""
        if self.nth is not None:
            return sum(1 for number in self.nth if number > self.seen)
        if self.first is not None and self.p == 1:
            return max(0, self.first - self.seen)
        return None

    def fires(self, method: str, path: str, now: float) -> bool:
        """Count a request in and tell whether it is hit. *now* is monotonic."""
        if now >= self.until or (self.pattern and not self.pattern.fullmatch(f"{method} {path}")):
            return False
        self.seen += 1
        if self.nth is not None and self.seen not in self.nth:
            return False
        if self.first is not None and self.seen > self.first:
            return False
        if self.p < 1 and self.random.random() >= self.p:
            return False
        self.fired += 1
        return True


class Faults(ListsAttributes):
    """
    The fault plans of one emulator.

    Of several that would hit a request the oldest does; but `refuse` and `return-429`, which happen
    in front of the server, come before all others.
    """

    def __init__(
        self,
        *,
        seed: int | str,
        monotonic: Callable[[], float],
        routes: Iterable[tuple[str, str]],
    ) -> None:
        """
        Begin without plans.

        Args:
            seed: What chances come from.
            monotonic: The emulator's clock.
            routes: Method and path, such as `"/users/{user}"`, of each.
        """
        self._routes = tuple(routes)
        self._seed = seed
        self._monotonic = monotonic
        self._plans: list[Plan] = []
        self._made = 0

    def __iter__(self) -> Iterator[Plan]:
        return iter(list(self._plans))

    def __len__(self) -> int:
        return len(self._plans)

    def add(
        self,
        fault: str,
        *,
        on: str | None = None,
        p: float = 1.0,
        first: int | None = None,
        nth: int | tuple[int, ...] | None = None,
        seconds: float | None = None,
    ) -> Plan:
        """
        Plan a fault. Without conditions it hits every request.

        Args:
            fault: Its id; see the module's table.
            on: `"GET"`, `"/users/*"` or `"POST /conversations/*/messages"`: which requests.
                The path is relative to the app; `*` is one segment, `**` any number. IDs are
                percent-encoded.
            p: Probability for each of these requests, seeded. Zero never fires.
            first: Only the first so many of these requests.
            nth: Only this one (or these) of them, counted from 1.
            seconds: Only for so many seconds of the emulator's clock, from now on: a storm.

        Raises:
            ValueError: There is no such fault, or it could never fire: no route of the emulator
                meets *on*, or *nth* or *seconds* name no request.
        """
        parsed = Fault.parse(fault)
        check_number("p", p)
        if not 0 <= p <= 1:
            raise ValueError(f"p must be between 0 and 1, not {p!r}.")
        if first is not None and nth is not None:
            raise ValueError("first and nth exclude each other.")
        if first is not None and not _is_count(first, least=0):
            raise ValueError(f"first must be a number of requests, not {first!r}.")
        numbers = nth if isinstance(nth, tuple) else (nth,)
        if nth is not None and not (numbers and all(_is_count(one, least=1) for one in numbers)):
            raise ValueError(f"nth counts requests from 1, so {nth!r} would never fire.")
        if seconds is not None:
            check_number("seconds", seconds)
            if not seconds > 0:
                raise ValueError(f"seconds must be above 0, not {seconds!r}.")
        if on is not None:
            self._check_reach(on)
        self._made += 1
        plan = Plan(
            number=self._made,
            fault=parsed,
            on=on,
            p=p,
            first=first,
            nth=frozenset((nth,) if isinstance(nth, int) else nth) if nth is not None else None,
            until=math.inf if seconds is None else self._monotonic() + seconds,
            pattern=request_pattern(on) if on else None,
            random=random.Random(  # noqa: S311  # repeatable
                f"fault:{self._seed}:{self._made}:{fault}"
            ),
        )
        self._plans.append(plan)
        return plan

    def _check_reach(self, on: str) -> None:
        """Refuse what no request can meet, with what is nearest to it."""
        if on.strip() and any(can_meet(on, method, path) for method, path in self._routes):
            return
        there_are = [pattern_of(method, path) for method, path in self._routes]
        nearest = get_close_matches(" ".join(on.split()), there_are, cutoff=0)
        raise ValueError(
            f"No request can be {on!r}: the emulator has no route like it. The nearest are "
            f"{', '.join(nearest)}. A path is relative to the app, percent-encoded and without a "
            "query; * is one segment, ** any number."
        )

    def remove(self, plan: Plan) -> None:
        """Forget one plan."""
        self._plans.remove(plan)

    def clear(self) -> None:
        """Forget every plan."""
        self._plans.clear()

    @property
    def unfired(self) -> list[Plan]:
        """Plans that still have to fire. A test that planned them should end with none."""
        return [
            plan
            for plan in self._plans
            if (plan.left if plan.left is not None else plan.p == 1 and not plan.fired)
        ]

    def pick(self, method: str, path: str, *, before_admission: bool) -> Fault | None:
        """Return the fault that hits this request."""
        if not self._plans:
            return None
        now = self._monotonic()
        for plan in self._plans:
            if plan.fault.before_admission is before_admission and plan.fires(method, path, now):
                return plan.fault
        return None

    def pick_in_batch(self, method: str, path: str) -> Fault | None:
        """
        Return the fault that hits one operation of a batch.

        Only errors can, and only those planned for a path: an operation is no request.
        """
        now = self._monotonic()
        for plan in self._plans:
            if plan.on and plan.fault.what == "return" and plan.fires(method, path, now):
                return plan.fault
        return None


def _is_count(number: object, *, least: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= least
