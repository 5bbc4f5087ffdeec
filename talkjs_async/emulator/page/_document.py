"""The page itself, rendered from what the emulator knows at this moment."""

from collections.abc import Iterable, Mapping
from itertools import islice
from urllib.parse import quote

from talkjs_async.emulator._stored_records import StoredConversation
from talkjs_async.emulator._world import World
from talkjs_async.emulator.limits import Bucket
from talkjs_async.emulator.page._conversation import composer, short_time, thread, title
from talkjs_async.emulator.page._html import Html, button, fill, join
from talkjs_async.emulator.page._switch_buttons import switch_table
from talkjs_async.emulator.page._traffic import fault_types, planned_faults, requests
from talkjs_async.emulator.page._webhook_section import trigger_form, webhook_section

MAX_CONVERSATIONS = 100

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{app_id} · TalkJS emulator</title>
<link rel="stylesheet" href="/_emulator/page.css">
<script src="/_emulator/page.js" defer></script>
</head>
<body>
<header>
  <h1>TalkJS emulator</h1>
  <p class="app">app <code>{app_id}</code> key <code>{secret_key}</code></p>
  <form role="search" action="/_emulator/"><input type="search" name="find" value="{find}"
    placeholder="Search" aria-label="Search conversations, requests and webhooks"></form>
  <p id="live" class="live" title="Follows the emulator">not live</p>
</header>
<section id="status" class="status" data-live>{status}</section>
<main>
  <nav id="conversations" aria-label="Conversations" data-live>{conversations}</nav>
  <article aria-label="Conversation">
    <div id="thread" class="thread" data-live>{thread}</div>
    <div id="composer" data-live>{composer}</div>
  </article>
  <aside>
    <section>
      <h2>Next request</h2>
      <p class="buttons">{fault_buttons}</p>
      <div id="faults" data-live>{faults}</div>
      <details class="more">
        <summary>All faults</summary>
        {fault_types}
      </details>
    </section>
    <section id="requests" data-live>{requests}</section>
    <section id="webhooks" data-live>{webhooks}</section>
    <section>{trigger}</section>
    <section>
      <h2>Switches</h2>
      <details class="more">
        <summary>Other answers where TalkJS documents none</summary>
        <div id="switches" class="switches" data-live>{switches}</div>
      </details>
    </section>
  </aside>
</main>
<footer>This is a stand-in that runs on your machine, made from TalkJS's documentation. It is not
TalkJS, and nothing here leaves this machine but webhooks.</footer>
</body>
</html>
"""

_FAULTS = (
    ("answers 503", "return-503"),
    ("answers 429", "return-429-retry-after-2"),
    ("is dropped before the commit", "drop-before-commit"),
    ("is dropped after the commit", "drop-after-commit"),
    ("never answers", "stall-after-commit"),
    ("is 1 s late", "latency-1"),
)
_CLOCK = (("+10 s", 10), ("+1 min", 60), ("+1 h", 3_600), ("+1 day", 86_400))


def document(world: World, chosen: str | None, find: str = "") -> Html:
    """
    Return the page.

    Args:
        world: What is shown.
        chosen: The conversation to show. None: the latest.
        find: Show only conversations, requests and webhooks in which this text occurs.
    """
    app = world.main_app
    latest = next(iter(app.conversations_by_activity.walk(descending=True)), None)
    conversation = app.conversations.get(chosen) if chosen is not None else latest
    return fill(
        _PAGE,
        app_id=world.app_id,
        secret_key=world.secret_key,
        status=_status(world),
        find=find,
        conversations=_conversations(world, conversation, find),
        thread=thread(world, conversation),
        composer=composer(world, conversation),
        fault_buttons=_buttons(
            (label, "POST faults", {"id": id_, "first": 1}) for label, id_ in _FAULTS
        ),
        faults=planned_faults(world.faults),
        switches=switch_table(world.switches),
        fault_types=fault_types(),
        requests=requests(world.requests, find),
        webhooks=webhook_section(world.webhooks, find),
        trigger=trigger_form(),
    )


def _buttons(buttons: Iterable[tuple[str, str, Mapping[str, object]]]) -> Html:
    return join(button(label, call, arguments) for label, call, arguments in buttons)


def _status(world: World) -> Html:
    app = world.main_app
    clock = [(label, "POST clock", {"advance": seconds}) for label, seconds in _CLOCK]
    return fill(
        '{ordinary}{batch}<div class="clock"><h2>Clock</h2><p><time>{now}</time> UTC</p>'
        '<p class="buttons">{clock}</p></div><div><h2>Data</h2><p>{users} users, '
        '{conversations} conversations, {commits} changes</p><p class="buttons">{data}</p></div>',
        ordinary=_gauge(world, "Requests", app.budget.ordinary),
        batch=_gauge(world, "Batches", app.budget.batch),
        now=short_time(int(world.clock.time() * 1000), date=True),
        clock=_buttons(clock),
        users=len(app.users),
        conversations=len(app.conversations),
        commits=world.commits.total,
        data=_buttons(
            [
                ("Example", "POST seed", {"name": "demo"}),
                ("Forget everything", "POST reset", {"clock": True}),
            ]
        ),
    )


def _gauge(world: World, name: str, bucket: Bucket) -> Html:
    if not world.limits.enabled:
        return fill("<div><h2>{name}</h2><p>no limit</p></div>", name=name)
    tokens = bucket.tokens(world.clock.monotonic())
    return fill(
        '<div class="gauge"><h2>{name}</h2><meter min="0" max="{burst}" low="{low}" '
        'optimum="{burst}" value="{tokens:.1f}" data-rate="{rate}"></meter>'
        "<p><b>{tokens:.0f}</b> of {burst} left, {rate:g} per second</p></div>",
        name=name,
        burst=bucket.burst,
        low=bucket.burst / 5,
        tokens=tokens,
        rate=bucket.rate,
    )


def _conversations(world: World, shown: StoredConversation | None, find: str) -> Html:
    app = world.main_app
    newest = app.conversations_by_activity.walk(descending=True)
    found = (one for one in newest if find in f"{one.id} {one.subject} {_last_text(one)}")
    items = [
        fill(
            '<li><a href="/_emulator/?conversation={link}{search}"{current}><b>{title}</b>'
            "<time>{time}</time><span>{last}</span>{unread}</a></li>",
            link=quote(conversation.id, safe="", errors="replace"),
            search=f"&find={quote(find, errors='replace')}" if find else "",
            current=Html(' aria-current="true"') if conversation is shown else "",
            title=title(conversation),
            time=short_time(conversation.activity[0]),
            last=_last_text(conversation),
            unread=_unread(conversation),
        )
        for conversation in islice(found, MAX_CONVERSATIONS)
    ]
    if not items:
        text = "No conversation like that." if find else "No conversations yet."
        return fill('<p class="empty">{text}</p>', text=text)
    return fill("<ul>{items}</ul>", items=join(items))


def _last_text(conversation: StoredConversation) -> str:
    last = conversation.messages.last()
    if last is None:
        return "No messages yet"
    return (last.text or ("a file" if last.file else "a location"))[:80]


def _unread(conversation: StoredConversation) -> Html:
    readers = [
        user_id
        for user_id, participant in islice(conversation.participants.items(), 20)
        if conversation.is_unread_by(user_id, participant)
    ]
    if not readers:
        return Html("")
    return fill('<em title="unread by">{names}</em>', names=", ".join(readers))
