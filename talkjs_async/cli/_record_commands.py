"""The commands for single records: look at one, list some, send, follow, request anything."""
# ruff: noqa: PLC0415 - see commands.py

from __future__ import annotations

from typing import Annotated

import typer

from talkjs_async.cli._typer_app import app, command, get_group, list_group

UserId = Annotated[str, typer.Argument(help="ID of the user.", show_default=False)]
ConversationId = Annotated[str, typer.Argument(help="ID of the conversation.", show_default=False)]
LimitOption = Annotated[int, typer.Option("--limit", help="Show at most so many.")]
AllOption = Annotated[bool, typer.Option("--all", help="Show all that there are.")]
StartingAfterOption = Annotated[
    str | None,
    typer.Option("--starting-after", help="ID of a record: begin behind it in the list."),
]


@command(get_group, "app")
def get_app(context: typer.Context) -> None:
    """Show the settings of the app."""
    from talkjs_async.cli import _record_actions

    _record_actions.get_app(context.obj)


@command(get_group, "user")
def get_user(context: typer.Context, user: UserId) -> None:
    """Show a user."""
    from talkjs_async.cli import _record_actions

    _record_actions.get_user(context.obj, user)


@command(get_group, "conversation")
def get_conversation(context: typer.Context, conversation: ConversationId) -> None:
    """Show a conversation with its participants."""
    from talkjs_async.cli import _record_actions

    _record_actions.get_conversation(context.obj, conversation)


@command(get_group, "message")
def get_message(
    context: typer.Context,
    conversation: ConversationId,
    message: Annotated[str, typer.Argument(help="ID of the message.", show_default=False)],
) -> None:
    """Show a message."""
    from talkjs_async.cli import _record_actions

    _record_actions.get_message(context.obj, conversation, message)


@command(list_group, "users")
def list_users(
    context: typer.Context,
    online: Annotated[
        bool, typer.Option("--is-online", "--online", help="Only who is online.")
    ] = False,
    limit: LimitOption = 100,
    everything: AllOption = False,
    starting_after: StartingAfterOption = None,
) -> None:
    """List users, newest first."""
    from talkjs_async.cli import _record_actions

    most = None if everything else limit
    _record_actions.list_users(context.obj, most, starting_after, online=online)


@command(list_group, "conversations")
def list_conversations(
    context: typer.Context,
    user: Annotated[
        str | None, typer.Option("--user", help="Only those of this user, as the user sees them.")
    ] = None,
    unread: Annotated[
        bool,
        typer.Option(
            "--unreads-only", "--unread", help="Only those that --user has not read to the end."
        ),
    ] = False,
    limit: LimitOption = 100,
    everything: AllOption = False,
    starting_after: StartingAfterOption = None,
) -> None:
    """List conversations, the latest activity first."""
    from talkjs_async.cli import _record_actions

    most = None if everything else limit
    _record_actions.list_conversations(context.obj, user, most, starting_after, unread=unread)


@command(list_group, "messages")
def list_messages(
    context: typer.Context,
    conversation: ConversationId,
    limit: LimitOption = 100,
    everything: AllOption = False,
    starting_after: StartingAfterOption = None,
) -> None:
    """List the messages of a conversation, newest first. Times are in UTC."""
    from talkjs_async.cli import _record_actions

    most = None if everything else limit
    _record_actions.list_messages(context.obj, conversation, most, starting_after)


@command(app)
def send(
    context: typer.Context,
    conversation: ConversationId,
    text: Annotated[
        str, typer.Argument(help="What to say; - is the standard input.", show_default=False)
    ],
    sender: Annotated[
        str | None, typer.Option("--sender", help="ID of the participant who says it.")
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Send a system message, which has no sender.")
    ] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="With the same key a day long, the message is stored once at most. Default: a new "
            "one, which is shown when no answer came.",
        ),
    ] = None,
) -> None:
    """
    Send one message, exactly once, and show its ID.

    Many from a file: messages send.
    """
    from talkjs_async.cli import _record_actions

    _record_actions.send(context.obj, conversation, text, sender, idempotency_key, system=system)


@command(app)
def tail(
    context: typer.Context,
    conversation: ConversationId,
    last: Annotated[
        int, typer.Option("--last", help="Begin with so many that are there already.")
    ] = 10,
    every: Annotated[
        float, typer.Option("--every", help="Seconds between two looks; each costs one request.")
    ] = 5.0,
) -> None:
    """
    Show the latest messages of a conversation, then new ones as they come, until Ctrl-C.

    Times are in UTC. Texts are shown as they are when a message is first seen.
    """
    from talkjs_async.cli import _record_actions

    _record_actions.tail(context.obj, conversation, last=last, every=every)


@command(app)
def request(
    context: typer.Context,
    method: Annotated[
        str, typer.Argument(help="GET, PUT, POST, PATCH or DELETE.", show_default=False)
    ],
    path: Annotated[
        str,
        typer.Argument(
            help="Below /v1/{appId}, percent-encoded, such as /users/alice or /users?limit=5.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option("--data", help="The body, as JSON; @FILE reads a file, - standard input."),
    ] = None,
) -> None:
    """
    Send any request to the REST API, and show the answer.

    It is signed, waits for the budget and is repeated as all others; a POST whose answer was lost
    is not.
    """
    from talkjs_async.cli import _record_actions

    _record_actions.request(context.obj, method, path, data)
