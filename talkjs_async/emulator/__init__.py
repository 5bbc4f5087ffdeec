"""
A TalkJS REST API of your own, for tests and for trying things out.

    emulator = Emulator()
    client = httpx.AsyncClient(transport=emulator.transport, base_url="http://emulator")

Written from TalkJS's documentation, not from this package's client, with which it shares no
code: a second opinion on the API. It is not TalkJS, and what the documentation leaves open is a
named switch here (`Switches`, `Limits`). Start it on a port with `python -m talkjs_async.emulator`.
"""

from talkjs_async.emulator._emulator import Emulator
from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._snapshots import Snapshot
from talkjs_async.emulator.clock import EmulatorClock, RealClock, VirtualClock
from talkjs_async.emulator.commit_log import COMMIT_KINDS, Commit, CommitLog
from talkjs_async.emulator.faults import Fault, Faults, Plan
from talkjs_async.emulator.limits import Limits
from talkjs_async.emulator.request_log import Exchange, RequestLog
from talkjs_async.emulator.simulated_users import SimulatedUser
from talkjs_async.emulator.switches import Switches
from talkjs_async.emulator.webhooks import EVENT_TYPES, Delivery, WebhookSender

__all__ = [
    "COMMIT_KINDS",
    "EVENT_TYPES",
    "SimulatedUser",
    "EmulatorClock",
    "Commit",
    "CommitLog",
    "Delivery",
    "Emulator",
    "Exchange",
    "Fault",
    "Faults",
    "WebhookSender",
    "RequestLog",
    "Limits",
    "Plan",
    "Problem",
    "Snapshot",
    "Switches",
    "RealClock",
    "VirtualClock",
]
