"""One conversation: its messages, and the place to write one."""

from datetime import UTC, datetime
from itertools import islice

from talkjs_async.emulator import markup
from talkjs_async.emulator._stored_records import StoredConversation, StoredMessage
from talkjs_async.emulator._world import World
from talkjs_async.emulator.page._html import Html, fill, join

MAX_MESSAGES = 100

_STYLES = {
    "bold": "b",
    "italic": "i",
    "strikethrough": "s",
    "bulletList": "ul",
    "bulletPoint": "li",
}


def title(conversation: StoredConversation) -> str:
    """Return what to call a conversation."""
    return conversation.subject or conversation.id


def short_time(milliseconds: int, *, date: bool = False) -> str:
    """Return a time as people read it, in UTC."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return "long ago or far away"
    return moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def thread(world: World, conversation: StoredConversation | None) -> Html:
    """Return the latest messages of a conversation, the newest at the bottom."""
    if conversation is None:
        return Html(
            '<p class="empty">Nothing here yet. Send a request to the API, or press '
            "<b>Example</b>.</p>"
        )
    newest = islice(conversation.messages.walk(descending=True), MAX_MESSAGES)
    left_out = len(conversation.messages) - MAX_MESSAGES
    messages = [_message(world, conversation, message) for message in newest]
    return fill(
        "<h2>{title} <code>{id}</code></h2>{left_out}<ol data-follow>{messages}</ol>{typing}",
        title=title(conversation),
        id=conversation.id,
        left_out=(
            fill('<p class="empty">{count} older messages</p>', count=left_out)
            if left_out > 0
            else ""
        ),
        messages=join(reversed(messages)),
        typing=_typing(world, conversation),
    )


def composer(world: World, conversation: StoredConversation | None) -> Html:
    """Return the form to write as one of the participants. It needs the page's script."""
    if conversation is None:
        return Html("")
    writers = [
        user_id
        for user_id, participant in conversation.participants.items()
        if participant.access != "None"
    ]
    if not writers:
        return Html('<p class="empty">No participant to write as.</p>')
    options = join(
        fill('<option value="{id}">{name}</option>', id=user_id, name=_name(world, user_id))
        for user_id in writers
    )
    return fill(
        '<form data-conversation="{id}"><label>as <select name="user">{options}</select></label>'
        '<input name="text" autocomplete="off" placeholder="Write a message" '
        'aria-label="Message"><button>Send</button>'
        '<button type="button" name="read">Mark as read</button></form>',
        id=conversation.id,
        options=options,
    )


def _message(world: World, conversation: StoredConversation, message: StoredMessage) -> Html:
    readers = [
        user_id
        for user_id, participant in conversation.participants.items()
        if participant.read_until is not None
        and participant.read_until >= message.order
        and user_id != message.sender_id
    ]
    notes = [
        short_time(message.created_at),
        f"from {message.origin}",
        "edited" if message.edited_at else "",
        f"read by {', '.join(readers[:5])}" if readers else "",
        " ".join(f"{emoji} {len(users)}" for emoji, users in (message.reactions or {}).items()),
    ]
    system = message.sender_id is None
    return fill(
        '<li class="{kind}" id="{id}">{sender}<div>{content}</div><small>{notes}</small></li>',
        kind="system" if system else "user",
        id=message.id,
        sender="" if system else fill("<b>{name}</b>", name=_name(world, message.sender_id)),
        content=_content(message),
        notes=" · ".join(note for note in notes if note),
    )


def _content(message: StoredMessage) -> Html:
    if message.file is not None:
        return fill(
            '<a href="{url}" rel="noreferrer">📎 {name}</a> ({size} bytes)',
            url=message.file.url(""),
            name=message.file.filename,
            size=message.file.size,
        )
    if message.location is not None:
        latitude, longitude = message.location
        return fill("📍 {latitude}, {longitude}", latitude=latitude, longitude=longitude)
    nodes = message.nodes if message.nodes is not None else markup.parse(message.text or "")
    return join(_node(node) for node in nodes)


def _node(node: markup.Node) -> Html:
    if isinstance(node, str):
        return fill("{text}", text=node)
    children = node.get("children")
    if children is None:
        return fill("<code>{text}</code>", text=node.get("text", ""))
    inside = join(_node(child) for child in children)
    # Links and buttons come with the message, from any sender: shown, not made to work.
    tag = Html(_STYLES.get(node["type"], "u"))
    return fill("<{tag}>{inside}</{tag}>", tag=tag, inside=inside)


def _typing(world: World, conversation: StoredConversation) -> Html:
    now = world.clock.time()
    typing = [
        _name(world, user_id)
        for user_id, sessions in world.main_app.sessions.items()
        if any(
            session.typing_until > now and session.selected_conversation_id == conversation.id
            for session in sessions
        )
    ]
    if not typing:
        return Html("")
    return fill('<p class="typing">{names} typing…</p>', names=", ".join(typing))


def _name(world: World, user_id: str | None) -> str:
    user = world.main_app.users.get(user_id) if user_id is not None else None
    return user.name if user is not None else (user_id or "")
