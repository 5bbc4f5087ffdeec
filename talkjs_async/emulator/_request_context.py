"""One request on its way through the emulator."""

import attrs

from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._responses import Response
from talkjs_async.emulator._routing import Route
from talkjs_async.emulator._stored_records import StoredApp
from talkjs_async.emulator.faults import Fault
from talkjs_async.emulator.request_log import Exchange


@attrs.define(eq=False)
class RequestContext:
    """What admission has found out about a request, for the work that follows."""

    request: Request
    exchange: Exchange
    app: StoredApp | None = None
    route: Route | None = None
    ids: list[str] = attrs.field(factory=list)
    fault: Fault | None = None
    refused: Response | None = None
    """The answer, when the request does not get any further than admission."""
    wait: float = 0.0
    """Seconds that the server holds the request before it does the work."""

    def sender_now(self, emulator_now: float) -> float:
        """
        Return the Unix time that the sender lives in.

        Turning the emulator's clock moves what the emulator knows: data, keys, budgets. It must not
        move what both sides compare with a clock of their own: tokens and HTTP dates.
        """
        sender_time = self.request.sender_time
        return emulator_now if sender_time is None else sender_time()

    @property
    def never_handled(self) -> bool:
        """Whether the work is not going to be done."""
        fault = self.fault
        return self.refused is not None or (
            fault is not None and not fault.after_commit and fault.what != "latency"
        )
