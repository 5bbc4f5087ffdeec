"""What went over the wire: requests, their answers, all attempts of a message, faults."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from talkjs_async.emulator.faults import FAULT_TYPES, Faults
from talkjs_async.emulator.ledger import line_of
from talkjs_async.emulator.page._conversation import short_time
from talkjs_async.emulator.page._html import Html, button, fill, join
from talkjs_async.emulator.page._marks import mark
from talkjs_async.emulator.request_log import Exchange, RequestLog

MAX_REQUESTS = 60


def requests(log: RequestLog, find: str) -> Html:
    """Return the latest requests in which *find* occurs, the newest on top."""
    attempts = log.attempts()
    found = (entry for entry in reversed(list(log)) if find in _text(entry))
    rows = [_request(entry, attempts) for entry in islice(found, MAX_REQUESTS)]
    return fill(
        "<h2>Requests <small>{total}</small></h2>{table}",
        total=log.total,
        table=table(rows, "No requests yet." if not find else "No request like that."),
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
    return fill(
        "{table}{button}", table=table(rows, ""), button=button("Forget faults", "DELETE faults")
    )


def fault_types() -> Html:
    """Return every fault with its meaning, and a button to have it hit the next request."""
    rows = [
        fill(
            "<tr><td>{button}</td><td>{meaning}</td></tr>",
            button=button(fault.id, "POST faults", {"id": fault.id, "first": 1}),
            meaning=fault.meaning.replace("`", ""),
        )
        for fault in FAULT_TYPES
    ]
    return table(rows, "")


def table(rows: Sequence[Html], otherwise: str) -> Html:
    """Return rows as a table, or a text when there are none."""
    if not rows:
        return fill('<p class="empty">{text}</p>', text=otherwise)
    return fill("<table><tbody>{rows}</tbody></table>", rows=join(rows))


def pretty(body: str) -> str:
    """Return JSON with indentation, and any other text as it is."""
    try:
        # A body that was cut is not JSON, and stays as it is.
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _text(entry: Exchange) -> str:
    """Return the text to search."""
    keys = " ".join(entry.idempotency_keys)
    line = f"{entry.method} {entry.path} {entry.status} {entry.fault} {keys}"
    return f"{line} {entry.body} {entry.answer}"


def _request(entry: Exchange, attempts: dict[str, list[Exchange]]) -> Html:
    status: Any = entry.status or "no answer"
    key = entry.idempotency_keys[0] if entry.idempotency_keys else None
    return fill(
        '<tr class="{outcome}"><td>{time}</td><td><details id="request-{number}"><summary>'
        "<code>{method} {path}{query}</code>{attempt}{fault}{unknown}</summary>{known}{operations}"
        "{same}{body}{answer}</details></td><td>{status}</td></tr>",
        outcome="good" if entry.status == 200 else "bad",
        number=entry.number,
        time=short_time(int(entry.at * 1000)),
        method=entry.method,
        path=entry.path,
        query=f"?{entry.query}" if entry.query else "",
        attempt=_badge("attempt", f"attempt {entry.attempt}" if entry.attempt > 1 else ""),
        fault=_badge("fault", entry.fault or ""),
        unknown=_badge("fault", "" if entry.operation else "not in the emulator"),
        known=_known(entry.operation) if entry.operation else "",
        operations=_lines(entry.operations),
        same=_attempts(key, attempts.get(key, [])) if key else "",
        body=_body("Request", entry.body),
        answer=_body("Answer", entry.answer),
        status=status,
    )


def _known(operation: str) -> Html:
    line = line_of("route", operation)
    return fill(
        "<p><code>{operation}</code> {mark} {source}</p>",
        operation=operation,
        mark=mark(line),
        source=line.source,
    )


def _attempts(key: str, entries: Sequence[Exchange]) -> Html:
    """Return all attempts of one message: they have the same idempotency key."""
    if len(entries) < 2:
        return fill("<p>Key <code>{key}</code>, one attempt</p>", key=key)
    return fill(
        "<p>Key <code>{key}</code>, {count} attempts:</p>{lines}",
        key=key,
        count=len(entries),
        lines=_lines(entries, times=True),
    )


def _lines(entries: Iterable[Exchange], *, times: bool = False) -> Html:
    return join(
        fill(
            "<div>{time}{method} {path} <b>{status}</b></div>",
            time=f"{short_time(int(entry.at * 1000))} " if times else "",
            method=entry.method,
            path=entry.path,
            status=entry.status or "no answer",
        )
        for entry in entries
    )


def _body(title: str, body: str) -> Html:
    if not body:
        return Html("")
    return fill("<h3>{title}</h3><pre>{body}</pre>", title=title, body=pretty(body))


def _badge(kind: str, text: str) -> Html:
    return fill(' <b class="{kind}">{text}</b>', kind=kind, text=text) if text else Html("")
