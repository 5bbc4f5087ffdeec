"""What the commands for single records do."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import anyio
import typer

from talkjs_async._core.pages import Records
from talkjs_async._core.retry import RetryPolicy
from talkjs_async.cli._exit_codes import STOPPED
from talkjs_async.cli._global_options import (
    LARGEST_INPUT,
    GlobalOptions,
    checked_text,
    read_file,
    read_input,
    reason_of,
)
from talkjs_async.cli._output import output_is_closed, say, write, write_json
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import ConfigurationError, OutcomeUnknown
from talkjs_async.models.app import App
from talkjs_async.models.conversations import Conversation, UserConversation
from talkjs_async.models.messages import Message, SystemMessage, UserMessage
from talkjs_async.models.users import User

T = TypeVar("T")
Record = TypeVar("Record", User, Conversation, UserConversation, Message)

_SHORTEST_PAUSE: Final = 0.2
"""Seconds between two looks: half of the app's budget would go into shorter ones."""


def get_app(options: GlobalOptions) -> None:
    """Show the app."""
    _show(options, _run(options, lambda talkjs: talkjs.app.get()))


def get_user(options: GlobalOptions, user: str) -> None:
    """Show a user."""
    _show(options, _run(options, lambda talkjs: talkjs.users.get(user)))


def get_conversation(options: GlobalOptions, conversation: str) -> None:
    """Show a conversation."""
    _show(options, _run(options, lambda talkjs: talkjs.conversations.get(conversation)))


def get_message(options: GlobalOptions, conversation: str, message: str) -> None:
    """Show a message."""
    get = partial(_message, conversation=conversation, message=message)
    _show(options, _run(options, get))


async def _message(talkjs: AsyncTalkJS, conversation: str, message: str) -> Message:
    return await talkjs.messages.get(conversation, message_id=message)


def list_users(
    options: GlobalOptions, limit: int | None, starting_after: str | None, *, online: bool
) -> None:
    """List users."""
    _list(
        options,
        lambda talkjs: talkjs.users.list(
            limit=limit, starting_after=starting_after, is_online=online or None
        ),
        lambda user: "  ".join([user.id, user.name, *user.email]),
        limit,
    )


def list_conversations(
    options: GlobalOptions,
    user: str | None,
    limit: int | None,
    starting_after: str | None,
    *,
    unread: bool,
) -> None:
    """List the conversations of the app or of a user."""
    if user is not None:
        _list(
            options,
            lambda talkjs: talkjs.users.list_conversations(
                user, limit=limit, starting_after=starting_after, unreads_only=unread
            ),
            _line_of_unread,
            limit,
        )
        return
    if unread:
        raise ConfigurationError("--unreads-only", "needs --user: it is users who read.")
    _list(
        options,
        lambda talkjs: talkjs.conversations.list(limit=limit, starting_after=starting_after),
        lambda each: f"{each.id}  {each.subject or ''}  {', '.join(each.participants)}",
        limit,
    )


def list_messages(
    options: GlobalOptions, conversation: str, limit: int | None, starting_after: str | None
) -> None:
    """List the messages of a conversation."""
    _list(
        options,
        lambda talkjs: talkjs.messages.list(
            conversation, limit=limit, starting_after=starting_after
        ),
        _line_of,
        limit,
    )


def send(
    options: GlobalOptions,
    conversation: str,
    text: str,
    sender: str | None,
    idempotency_key: str | None,
    *,
    system: bool,
) -> None:
    """Send a message."""
    if system == (sender is not None):
        raise ConfigurationError("--sender", "or --system is needed, and not both.")
    said = read_input("text").rstrip("\n") if text == "-" else checked_text("text", text)
    if not said.strip():
        # As a variable of a script that is not set, or a program before the pipe that failed, has
        # it. Nothing says what TalkJS would make of it.
        raise ConfigurationError("text", "is empty: give what to say. Nothing was sent.")
    message: UserMessage | SystemMessage
    if sender is None:
        message = SystemMessage(text=said, idempotency_key=idempotency_key)
    else:
        message = UserMessage(sender=sender, text=said, idempotency_key=idempotency_key)
    try:
        (sent,) = _run(options, lambda talkjs: talkjs.messages.send_many(conversation, [message]))
    except OutcomeUnknown as error:
        if error.idempotency_keys:
            say("It may have been sent. To send it again without harm, run the same command with")
            say(f"  --idempotency-key {error.idempotency_keys[0]}")
        raise
    if options.json:
        write_json(sent.to_wire())
    else:
        write(sent.id)


def tail(options: GlobalOptions, conversation: str, *, last: int, every: float) -> None:
    """Show messages as they come."""
    if last < 0:
        raise ConfigurationError("--last", f"must be 0 or more, not {last}.")
    if not _SHORTEST_PAUSE <= every < float("inf"):
        raise ConfigurationError("--every", f"must be {_SHORTEST_PAUSE} seconds or more.")
    follow = partial(_follow, options=options, conversation=conversation, last=last, every=every)
    _run(options, follow)


def request(options: GlobalOptions, method: str, path: str, data: str | None) -> None:
    """Send any request."""
    path, _, query = path.partition("?")
    params = _params(query)
    body = None if data is None else _body(data)
    answer = _run(
        options,
        lambda talkjs: talkjs.request(
            method,  # type: ignore[arg-type]  # checked there
            path,
            params=params,
            json=body,
        ),
    )
    if options.json:
        write_json(answer)
    elif answer is not None:
        for line in json.dumps(answer, indent=2, ensure_ascii=False).splitlines():
            write(line)


async def _follow(
    talkjs: AsyncTalkJS, *, options: GlobalOptions, conversation: str, last: int, every: float
) -> None:
    # The newest is asked for also when none is to be shown: it is where new ones begin.
    first = await talkjs.messages.list(conversation, limit=max(last, 1)).collect()
    newest = first[0].created_at_ms if first else -1
    seen = {message.id for message in first if message.created_at_ms == newest}
    _show_messages(options, first[:last])
    while not output_is_closed():
        await anyio.sleep(every)
        fresh: list[Message] = []
        async for message in talkjs.messages.list(conversation):
            if message.created_at_ms < newest:
                break
            if message.id not in seen:
                fresh.append(message)
        if not fresh:
            continue
        if fresh[0].created_at_ms > newest:
            newest, seen = fresh[0].created_at_ms, set()
        # Messages of one millisecond may come in several looks.
        seen |= {message.id for message in fresh if message.created_at_ms == newest}
        _show_messages(options, fresh)


def _show_messages(options: GlobalOptions, newest_first: list[Message]) -> None:
    for message in reversed(newest_first):
        if options.json:
            write_json(message.to_wire())
        else:
            write(_line_of(message))
    sys.stdout.flush()


def _line_of_unread(conversation: UserConversation) -> str:
    count = conversation.unread_message_count
    return conversation.id if count is None else f"{conversation.id}  {count} unread"


def _line_of(message: Message) -> str:
    who = message.sender_id or "(system)"
    what = message.plain_text() or f"({', '.join(block.type for block in message.content)})"
    return f"{message.created_at:%Y-%m-%d %H:%M:%S}  {who}: {what}"


def _run(options: GlobalOptions, use: Callable[[AsyncTalkJS], Awaitable[T]]) -> T:
    """Use a client that is no more persistent than one in a program; Ctrl-C ends the process."""

    async def run() -> T:
        async with options.client() as talkjs:
            return await use(talkjs.with_options(retry=RetryPolicy()))

    try:
        return anyio.run(run)
    except KeyboardInterrupt:
        raise typer.Exit(STOPPED) from None


def _list(
    options: GlobalOptions,
    records: Callable[[AsyncTalkJS], Records[Record]],
    line: Callable[[Record], str],
    limit: int | None,
) -> None:
    """Write one line a record, until there are no more or the reader of a pipe has gone."""

    async def write_all(talkjs: AsyncTalkJS) -> tuple[int, str]:
        count, latest = 0, ""
        async for record in records(talkjs):
            if options.json:
                write_json(record.to_wire())
            else:
                write(line(record))
            count, latest = count + 1, record.id
            if output_is_closed():
                break
        return count, latest

    count, latest = _run(options, write_all)
    if count == limit:
        say(f"There may be more: --starting-after {latest}, or --all.")


def _show(options: GlobalOptions, record: App | User | Conversation | Message) -> None:
    """Write a record: a line for machines; for people a line a field, with the names of the API."""
    fields = record.to_wire()
    if options.json:
        write_json(fields)
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        write(f"{name:{width}}  {shown}")


def _params(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise ConfigurationError("path", "has a parameter that is not UTF-8.") from None
    params = dict(pairs)
    if len(params) < len(pairs):
        # A mapping would send the last one only.
        raise ConfigurationError("path", "has a parameter twice.")
    return params


def _body(data: str) -> Any:
    if data == "-":
        text = read_input("--data")
    elif data.startswith("@"):
        try:
            text = read_file(Path(data[1:]), LARGEST_INPUT).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            name = data[1:] or "@ without a file"
            reason = reason_of(error)
            raise ConfigurationError("--data", f"{name} cannot be read: {reason}.") from None
    else:
        text = checked_text("--data", data)
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _SaidTwice as error:
        raise ConfigurationError("--data", f"has {error.args[0]!r} twice.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("--data", f"is no JSON: {error}.") from None


class _SaidTwice(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _SaidTwice(twice)
    return found
