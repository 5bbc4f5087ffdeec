"""
What TalkJS promises, told by its documentation: true of the emulator, and of the real one.

Nothing here reaches outside (no notification) or changes the app itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import pytest

from talkjs_async import (
    APIError,
    AppTokenAuth,
    AsyncTalkJS,
    BadRequest,
    ImportedMessage,
    NotFound,
    SecretKeyAuth,
    SystemMessage,
    TalkJSError,
    Unauthorized,
    UserInput,
    UserMessage,
    call_of,
)
from tests.contracts.conftest import Connect, Names
from tests.contracts.facts import fact

pytestmark = pytest.mark.anyio


async def chat(talkjs: AsyncTalkJS, names: Names) -> tuple[str, str, str]:
    """Alice and Bob in a conversation; their IDs."""
    alice, bob, conversation = names.user("alice"), names.user("bob"), names.conversation("chat")
    await talkjs.users.upsert_many({alice: UserInput(name="Alice"), bob: UserInput(name="Bob")})
    await talkjs.conversations.upsert(conversation, participants=[alice, bob])
    return alice, bob, conversation


@fact(
    "users_partial",
    "PUT of a user changes the fields that are given; null clears one.",
    "documented",
    "Users",
)
async def test_a_user_is_created_read_and_changed_in_parts(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice = names.user("alice")

    await talkjs.users.upsert(
        alice, name="Alice", email=["alice@example.com"], locale="nl-NL", custom={"team": "blue"}
    )
    created = await talkjs.users.get(alice)
    await talkjs.users.upsert(alice, email=None, photo_url="https://example.com/a.png")
    changed = await talkjs.users.get(alice)

    assert (alice, "Alice", ("alice@example.com",), "nl-NL", {"team": "blue"}) == (
        created.id,
        created.name,
        created.email,
        created.locale,
        created.custom,
    )
    assert ("Alice", (), "https://example.com/a.png", {"team": "blue"}) == (
        changed.name,
        changed.email,
        changed.photo_url,
        changed.custom,
    )
    assert created.created_at == changed.created_at


@fact(
    "not_found",
    "A user or conversation that does not exist is a 404.",
    "documented",
    "Introduction",
)
async def test_what_is_not_there_is_not_found(talkjs: AsyncTalkJS, names: Names) -> None:
    with pytest.raises(NotFound):
        await talkjs.users.get(names.prefix + "nobody")
    with pytest.raises(NotFound):
        await talkjs.conversations.get(names.prefix + "nowhere")


@fact(
    "users_all_or_none",
    "A batch of users with a wrong one is a 400, and none is stored.",
    "documented",
    "Users",
)
async def test_many_users_are_all_stored_or_none(talkjs: AsyncTalkJS, names: Names) -> None:
    good = names.prefix + "good"
    users = {good: UserInput(name="Good"), names.prefix + "bad": UserInput(role="nameless")}

    with pytest.raises(BadRequest):
        await talkjs.users.upsert_many(users)

    with pytest.raises(NotFound):
        await talkjs.users.get(good)


@fact(
    "wrong_credential",
    "A token that another key has signed is a 401. Its body is documented nowhere.",
    "documented",
    "Introduction",
)
async def test_a_token_of_another_key_is_refused(connect: Connect) -> None:
    stranger = connect(auth=AppTokenAuth(connect().app_id, "sk_test_of_somebody_else"))

    with pytest.raises(Unauthorized):
        await stranger.users.list(limit=1).first()


@fact(
    "secret_key_as_bearer",
    "The secret key itself is a credential, too.",
    "documented",
    "Introduction",
)
async def test_the_key_itself_is_still_a_credential(connect: Connect, which: str) -> None:
    secret_key = os.environ["TALKJS_LIVE_SECRET_KEY"] if which == "live" else "sk_test_emulator"

    talkjs = connect(auth=SecretKeyAuth(secret_key))

    assert talkjs.app_id == (await talkjs.app.get()).id


@fact(
    "lists_newest_first",
    "Lists come newest first; startingAfter is the last ID of the page before.",
    "documented",
    "Introduction, Listing data",
)
async def test_lists_come_newest_first_and_page_by_page(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    for number in range(5):
        await talkjs.messages.send(conversation, sender=alice, text=str(number))

    pages = [
        [message.text for message in page]
        async for page in talkjs.messages.list(conversation, page_size=2).pages()
    ]

    assert [["4", "3"], ["2", "1"], ["0"]] == pages


@fact(
    "page_sizes",
    "A page has up to 100 users, up to 30 conversations, and 10 where no limit is given.",
    "documented",
    "Introduction, Listing data",
)
@pytest.mark.parametrize(
    ("path", "most"), [("/users", 100), ("/conversations", 30)], ids=["users", "conversations"]
)
async def test_pages_have_a_largest_size(talkjs: AsyncTalkJS, path: str, most: int) -> None:
    await talkjs.request("GET", path, params={"limit": str(most)})
    with pytest.raises(TalkJSError):
        await talkjs.request("GET", path, params={"limit": str(most + 1)})
    default = await talkjs.request("GET", path)

    assert len(default["data"]) <= 10


@fact(
    "conversation_fields",
    "A conversation has its participants with access and notify, and its last message.",
    "documented",
    "Conversations",
)
async def test_a_conversation_has_its_participants_and_last_message(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, bob, conversation_id = await chat(talkjs, names)

    await talkjs.conversations.upsert(
        conversation_id, subject="Cars", welcome_messages=["Welcome!"], custom={"order": "7"}
    )
    sent = await talkjs.messages.send(conversation_id, sender=alice, text="hi")
    conversation = await talkjs.conversations.get(conversation_id)

    assert ("Cars", ("Welcome!",), {"order": "7"}) == (
        conversation.subject,
        conversation.welcome_messages,
        conversation.custom,
    )
    assert {alice, bob} == set(conversation.participants)
    assert ("ReadWrite", True) == (
        conversation.participants[bob].access,
        conversation.participants[bob].notify,
    )
    assert conversation.last_message is not None
    assert sent.id == conversation.last_message.id


@fact(
    "messages_mixed",
    "One request sends messages of users and of the system; their origin is rest.",
    "documented",
    "Messages, Send a message",
)
async def test_messages_of_users_and_of_the_system_are_sent_in_one_request(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, _, conversation = await chat(talkjs, names)
    first, second = await talkjs.messages.send_many(
        conversation,
        [UserMessage(sender=alice, text="hi", custom={"a": "1"}), SystemMessage(text="Bob left")],
    )

    [system, user] = await talkjs.messages.list(conversation).collect()

    assert {first.id, second.id} == {system.id, user.id}
    assert {("UserMessage", alice, "hi"), ("SystemMessage", None, "Bob left")} == {
        (message.type, message.sender_id, message.text) for message in (system, user)
    }
    assert {"rest"} == {system.origin, user.origin}


@fact(
    "idempotency_key",
    "An idempotencyKey makes one message, however often it is sent.",
    "documented",
    "Messages",
)
async def test_an_idempotency_key_makes_one_message(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    send = call_of(talkjs.messages.send, conversation, sender=alice, text="once")

    for _ in range(2):
        # What the second time answers is not documented.
        with suppress(APIError):
            await talkjs._pipeline.run(send)

    assert 1 == len(await talkjs.messages.list(conversation).collect())


@fact(
    "message_edit",
    "A message is edited by PUT, which sets editedAt, and deleted.",
    "documented",
    "Messages, Edit a message",
)
async def test_a_message_is_edited_and_deleted(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)
    sent = await talkjs.messages.send(conversation, sender=alice, text="first")

    await talkjs.messages.edit(conversation, message_id=sent.id, text="second")
    edited = await talkjs.messages.get(conversation, message_id=sent.id)
    await talkjs.messages.delete(conversation, message_id=sent.id)

    assert "second" == edited.text
    assert edited.edited_at is not None
    assert [] == await talkjs.messages.list(conversation).collect()


@fact(
    "only_participants_send",
    "Only participants may send a message.",
    "documented",
    "Messages",
)
async def test_only_participants_may_send(talkjs: AsyncTalkJS, names: Names) -> None:
    _, _, conversation = await chat(talkjs, names)
    carol = names.user("carol")
    await talkjs.users.upsert(carol, name="Carol")

    with pytest.raises(TalkJSError):
        await talkjs.messages.send(conversation, sender=carol, text="let me in")

    assert [] == await talkjs.messages.list(conversation).collect()


@fact(
    "participants",
    "PUT of a participant overwrites access and notify, PATCH changes what is given.",
    "documented",
    "Participation",
)
async def test_participants_join_change_and_leave(talkjs: AsyncTalkJS, names: Names) -> None:
    _, bob, conversation = await chat(talkjs, names)

    await talkjs.participants.update(conversation, user_id=bob, access="Read", notify=False)
    patched = (await talkjs.conversations.get(conversation)).participants[bob]
    await talkjs.participants.add(conversation, user_id=bob, notify=False)
    overwritten = (await talkjs.conversations.get(conversation)).participants[bob]
    await talkjs.participants.remove(conversation, user_id=bob)
    left = await talkjs.conversations.get(conversation)

    assert ("Read", False) == (patched.access, patched.notify)
    assert ("ReadWrite", False) == (overwritten.access, overwritten.notify)
    assert bob not in left.participants


@fact(
    "reply_address",
    "A participant has an e-mail address that posts into the conversation.",
    "documented",
    "Participation",
)
async def test_a_participant_has_an_address_for_replies(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)

    assert "@" in await talkjs.participants.get_email(conversation, user_id=alice)


@fact(
    "conversations_of_a_user",
    "A user has a list of conversations; of an unknown user it is a 404 from 2024-01-01 on.",
    "documented",
    "API changelog",
)
async def test_a_user_lists_their_conversations(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)

    found = await talkjs.users.list_conversations(alice).collect()

    assert [conversation] == [one.id for one in found]
    with pytest.raises(NotFound):
        await talkjs.users.list_conversations(names.prefix + "nobody").collect()


@fact(
    "batch_answers",
    "Each operation of a batch has a status and an answer of its own.",
    "documented",
    "Batch",
)
async def test_the_calls_of_a_batch_have_answers_of_their_own(
    talkjs: AsyncTalkJS, names: Names
) -> None:
    alice, _, conversation = await chat(talkjs, names)

    results = await talkjs.batch(
        call_of(talkjs.users.get, alice),
        call_of(talkjs.users.get, names.prefix + "nobody"),
        call_of(talkjs.conversations.upsert, conversation, subject="In a batch"),
        call_of(talkjs.messages.list, conversation, limit=5),
        return_exceptions=True,
    )

    user, unknown, nothing, page = results
    assert not isinstance(user, TalkJSError)
    assert not isinstance(page, TalkJSError)
    assert ("Alice", None, ()) == (user.name, nothing, page.items)
    assert isinstance(unknown, NotFound)
    assert "In a batch" == (await talkjs.conversations.get(conversation)).subject


@fact(
    "import_times",
    "Imported messages keep their times; their origin is import.",
    "documented",
    "Importing Messages",
)
async def test_old_messages_keep_their_times(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    long_ago = datetime(2019, 5, 17, 12, 30, tzinfo=UTC)

    await talkjs.messages.import_many(
        conversation, [ImportedMessage(sender=alice, text="old", sent_at=long_ago, read_by=[bob])]
    )

    [message] = await talkjs.messages.list(conversation).collect()
    assert ("old", long_ago, "import") == (message.text, message.created_at, message.origin)


@fact(
    "presences",
    "Presences are an object by user, in which the users who are offline are missing.",
    "documented",
    "User Presence",
)
async def test_presences_are_a_map(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, _ = await chat(talkjs, names)

    assert {} == await talkjs.presences.query(user_ids=[alice])


@fact(
    "app_id",
    "The app tells its ID.",
    "documented",
    "App",
)
async def test_the_app_says_its_id(talkjs: AsyncTalkJS) -> None:
    assert talkjs.app_id == (await talkjs.app.get()).id


@fact(
    "files",
    "An uploaded file is sent by its token, and the message has its URL and size.",
    "code",
    "TalkJS's transfer program, 2026; JavaScript SDK",
)
async def test_a_file_is_uploaded_and_sent(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, _, conversation = await chat(talkjs, names)

    token = (await talkjs.files.upload(b"plain text", filename="note.txt")).token
    sent = await talkjs.messages.send(conversation, sender=alice, attachment_token=token)

    message = await talkjs.messages.get(conversation, message_id=sent.id)
    assert message.attachment is not None
    assert 10 == message.attachment.size


@fact(
    "reactions_by_emoji",
    "A message has its reactions by emoji; adding and removing one are calls of their own.",
    "code",
    "TalkJS's transfer program, 2026",
)
async def test_reactions_come_and_go(talkjs: AsyncTalkJS, names: Names) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    sent = await talkjs.messages.send(conversation, sender=alice, text="hi")

    await talkjs.reactions.add(conversation, message_id=sent.id, emoji="👍", user_id=bob)
    added = await talkjs.messages.get(conversation, message_id=sent.id)
    await talkjs.reactions.remove(conversation, message_id=sent.id, emoji="👍", user_id=bob)
    removed = await talkjs.messages.get(conversation, message_id=sent.id)

    assert ["👍"] == list(added.reactions)
    assert {} == removed.reactions


@fact(
    "mark_as_read",
    "A conversation is marked as read for a participant.",
    "code",
    "TalkJS's transfer program, 2026; an Elixir app in production",
)
@pytest.mark.parametrize("form", ["participant", "read_by", "user_conversation"])
async def test_a_conversation_is_marked_as_read(
    talkjs: AsyncTalkJS, names: Names, form: Literal["participant", "read_by", "user_conversation"]
) -> None:
    alice, bob, conversation = await chat(talkjs, names)
    await talkjs.messages.send(conversation, sender=alice, text="hi")

    await talkjs.conversations.mark_as_read(conversation, user_id=bob, form=form)

    assert not (await talkjs.conversations.get(conversation)).participants[bob].is_unread


@fact(
    "custom_merges",
    "custom in an update is merged by key, and null takes a key, or all of it, away.",
    "inferred",
    "programs in production rely on it",
)
async def test_custom_data_is_merged_and_null_takes_away(talkjs: AsyncTalkJS, names: Names) -> None:
    alice = names.user("alice")

    await talkjs.users.upsert(alice, name="Alice", custom={"a": "1", "b": "2"})
    await talkjs.users.upsert(alice, custom={"b": None, "c": "3"})
    merged = await talkjs.users.get(alice)
    await talkjs.users.upsert(alice, custom=None)

    assert {"a": "1", "c": "3"} == merged.custom
    assert {} == (await talkjs.users.get(alice)).custom


@fact(
    "ids",
    "An ID may hold any character that its path segment can be encoded with.",
    "inferred",
    "JavaScript SDK, which encodes each segment",
)
@pytest.mark.parametrize("name", ["a/b", "50%", "🙂", "a?b#c&d=e+f", "..."], ids=ascii)
async def test_ids_may_hold_anything(talkjs: AsyncTalkJS, names: Names, name: str) -> None:
    user_id = names.user(name)

    await talkjs.users.upsert(user_id, name="Anybody")

    assert user_id == (await talkjs.users.get(user_id)).id
