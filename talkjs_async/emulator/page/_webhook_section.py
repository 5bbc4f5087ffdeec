"""Webhooks: where they go, what became of them, what would have been sent, and sending one."""

import json
from itertools import islice
from typing import Any

from talkjs_async.emulator.page._conversation import short_time
from talkjs_async.emulator.page._html import Html, button, fill, join
from talkjs_async.emulator.page._traffic import pretty, table
from talkjs_async.emulator.webhooks import EVENT_TYPES, Delivery, Receiver, WebhookSender

MAX_DELIVERIES = 30


def webhook_section(webhooks: WebhookSender, find: str) -> Html:
    """Return the latest attempts to deliver, or else the latest events; the newest on top."""
    if webhooks.deliveries or webhooks.receivers:
        rows = [_delivery(entry) for entry in islice(_found(webhooks, find), MAX_DELIVERIES)]
        shown = table(rows, "Nothing delivered yet.")
    else:
        events = [event for event in reversed(webhooks.inbox) if find in json.dumps(event)]
        rows = [_event(event) for event in events[:MAX_DELIVERIES]]
        intro = fill("<p>No webhook is set up. What would have been sent:</p>") if rows else ""
        shown = fill("{intro}{rows}", intro=intro, rows=table(rows, "No webhook is set up."))
    return fill(
        "<h2>Webhooks</h2>{receivers}{shown}",
        receivers=join(_receiver(receiver) for receiver in webhooks.receivers),
        shown=shown,
    )


def trigger_form() -> Html:
    """Return the form to send an event of any type, with an example's data."""
    options = join(fill("<option>{type}</option>", type=one) for one in EVENT_TYPES)
    return fill(
        '<form data-trigger><label>Send an example of <select name="event">{options}</select>'
        "</label><button>Send</button></form>",
        options=options,
    )


def _found(webhooks: WebhookSender, find: str) -> Any:
    for entry in reversed(list(webhooks.deliveries)):
        where = f"{entry.event_type} {entry.target} {entry.status} {entry.error} {_json(entry)}"
        if find in where:
            yield entry


def _json(delivery: Delivery) -> str:
    return delivery.body.decode(errors="replace")


def _receiver(receiver: Receiver) -> Html:
    events = "all events" if receiver.events is None else ", ".join(sorted(receiver.events))
    return fill("<p>to <code>{name}</code>: {events}</p>", name=receiver.name, events=events)


def _delivery(entry: Delivery) -> Html:
    return fill(
        '<tr class="{outcome}"><td>{time}</td><td><details id="delivery-{number}"><summary>{type}'
        "{again}</summary><p>to <code>{target}</code> {resend}</p>{error}<pre>{headers}\n\n{body}"
        "</pre></details></td><td>{status}</td></tr>",
        outcome="good" if entry.status == 200 else "bad",
        number=entry.number,
        time=short_time(int(entry.at * 1000)),
        type=entry.event_type,
        again=Html(' <b class="attempt">2nd try</b>') if entry.attempt == 2 else "",
        target=entry.target,
        resend=button("Send again", f"POST deliveries/{entry.number}/resend"),
        error=fill('<p class="error">{text}</p>', text=entry.error) if entry.error else "",
        headers="\n".join(f"{name}: {value}" for name, value in entry.headers.items()),
        body=pretty(_json(entry)),
        status=entry.status or "no answer",
    )


def _event(event: dict[str, Any]) -> Html:
    return fill(
        '<tr><td>{time}</td><td><details id="event-{id}"><summary>{type}</summary>'
        "<pre>{body}</pre></details></td><td>not sent</td></tr>",
        time=short_time(event["createdAt"]),
        id=event["id"],
        type=event["type"],
        body=json.dumps(event, indent=2, ensure_ascii=False),
    )
