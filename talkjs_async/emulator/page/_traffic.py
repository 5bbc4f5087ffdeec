"""What went over the wire: requests, planned faults, webhooks."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from talkjs_async.emulator.faults import Faults
from talkjs_async.emulator.page._conversation import short_time
from talkjs_async.emulator.page._html import Html, button, fill, join
from talkjs_async.emulator.request_log import Exchange, RequestLog
from talkjs_async.emulator.webhooks import WebhookSender

MAX_REQUESTS = 60
MAX_DELIVERIES = 30


def requests(log: RequestLog) -> Html:
    """Return the latest requests, the newest on top."""
    newest = islice(reversed(list(log)), MAX_REQUESTS)
    rows = [_request(entry) for entry in newest]
    return fill(
        "<h2>Requests <small>{total}</small></h2>{table}",
        total=log.total,
        table=_table(rows, "No requests yet."),
    )


def planned_faults(faults: Faults) -> Html:
    """Return the fault plans and how often they have fired."""
    rows = [
        fill(
            "<tr><td><code>{id}</code></td><td>{on}</td><td>{fired} fired{left}</td></tr>",
            id=plan.fault.id,
            on=plan.on or "any request",
            fired=plan.fired,
            left="" if plan.left is None else f", {plan.left} to go",
        )
        for plan in faults
    ]
    if not rows:
        return Html("")
    forget = button("Forget faults", "DELETE faults")
    return fill("{table}{button}", table=_table(rows, ""), button=forget)


def deliveries(webhooks: WebhookSender) -> Html:
    """Return the latest attempts to deliver webhooks, the newest on top."""
    rows = [
        fill(
            '<tr class="{outcome}"><td>{time}</td><td>{type}{again}</td><td>{status}</td>'
            "<td><details><summary>{target}</summary><pre>{body}</pre></details></td></tr>",
            outcome="good" if entry.status == 200 else "bad",
            time=short_time(int(entry.at * 1000)),
            type=entry.event_type,
            again=Html(' <b class="attempt">2nd try</b>') if entry.attempt == 2 else "",
            status=entry.status or "no answer",
            target=entry.target,
            body=entry.body.decode(errors="replace"),
        )
        for entry in islice(reversed(webhooks.deliveries), MAX_DELIVERIES)
    ]
    where = "Nothing delivered yet." if webhooks.receivers else "No webhook is set up."
    return fill("<h2>Webhooks</h2>{table}", table=_table(rows, where))


def _request(entry: Exchange) -> Html:
    status: Any = entry.status or "no answer"
    inside = join(
        fill(
            "<div>{method} {path} <b>{status}</b></div>",
            method=operation.method,
            path=operation.path,
            status=operation.status,
        )
        for operation in entry.operations
    )
    return fill(
        '<tr class="{outcome}"><td>{time}</td><td><code>{method} {path}{query}</code>{attempt}'
        "{fault}{inside}</td><td>{status}</td></tr>",
        outcome="good" if entry.status == 200 else "bad",
        time=short_time(int(entry.at * 1000)),
        method=entry.method,
        path=entry.path,
        query=f"?{entry.query}" if entry.query else "",
        attempt=_badge("attempt", f"attempt {entry.attempt}" if entry.attempt > 1 else ""),
        fault=_badge("fault", entry.fault or ""),
        inside=inside,
        status=status,
    )


def _badge(kind: str, text: str) -> Html:
    return fill(' <b class="{kind}">{text}</b>', kind=kind, text=text) if text else Html("")


def _table(rows: Sequence[Html], otherwise: str) -> Html:
    if not rows:
        return fill('<p class="empty">{text}</p>', text=otherwise)
    return fill("<table><tbody>{rows}</tbody></table>", rows=join(rows))
