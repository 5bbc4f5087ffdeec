"""Calls that do not fit: Python's own error, which says what to write instead."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    RetryPolicy,
    SendReceipt,
    UploadedFile,
    call_of,
)
from talkjs_async._core.call import Call
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async.models.content import MarkupNode, TextBlock

pytestmark = pytest.mark.anyio


@pytest.fixture
def talkjs() -> Any:
    """A client that sends nothing here. Type checkers would refuse all that is called."""
    return AsyncTalkJS("app", "sk_test_wrong_calls")


CALLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "another name of an argument": (
        lambda talkjs: talkjs.messages.send("chat", attachment="token"),
        "Messages.send has no argument 'attachment': it is attachment_token=file.token",
    ),
    "a misspelling": (
        lambda talkjs: talkjs.users.list_conversations("bob", unread=True),
        "has no argument 'unread': did you mean 'unreads_only'",
    ),
    "a part of a name": (
        lambda talkjs: talkjs.reactions.add("chat", message_id="m", emoji="+", user="bob"),
        "Reactions.add has no argument 'user': did you mean 'user_id'",
    ),
    "the name that others have for it": (
        lambda talkjs: talkjs.messages.send("chat", text="Hi", timeout=2),
        r"has no argument 'timeout': it is talkjs.with_options\(total_timeout=2.0\)",
    ),
    "something else": (
        lambda talkjs: talkjs.users.get("bob", zzz=1),
        "Users.get has no argument 'zzz': it has user_id",
    ),
    "a second ID by position": (
        lambda talkjs: talkjs.messages.get("chat", "m"),
        "Messages.get takes conversation_id by position, and all else by name: message_id=...",
    ),
    "more than there is": (
        lambda talkjs: talkjs.users.get("bob", "alice"),
        "Users.get takes user_id by position, and all else by name: leave out the rest",
    ),
    "less than it takes": (lambda talkjs: talkjs.users.get(), "missing 1 required .*'user_id'"),
}


@pytest.mark.parametrize(("make", "words"), CALLS.values(), ids=CALLS.keys())
async def test_arguments_that_do_not_fit_are_told_what_does(
    talkjs: Any, make: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        await make(talkjs)


def test_lists_and_calls_as_values_say_the_same(talkjs: Any) -> None:
    with pytest.raises(TypeError, match="did you mean 'page_size'"):
        talkjs.users.list(pagesize=3)
    with pytest.raises(TypeError, match=r"Users.get has no argument 'zzz'"):
        call_of(talkjs.users.get, "bob", zzz=1)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda talkjs: talkjs.users.get_many, r"Users has no 'get_many': it is talkjs.batch"),
        (lambda talkjs: talkjs.messages.react, "Messages has no 'react': it is talkjs.reactions"),
        (lambda talkjs: talkjs.conversations.get_or_create, "it is upsert, which makes what"),
        (lambda talkjs: talkjs.users.zzz, "Users has no 'zzz': it has get, list, list_conv"),
        (lambda talkjs: talkjs.messages.update, "Messages has no 'update': it has delete, edit, "),
        (lambda talkjs: talkjs.users.edit, "Users has no 'edit': it has get, .* upsert, upsert_m"),
        (
            lambda talkjs: talkjs.conversations.add_participant,
            "Conversations has no 'add_participant': talkjs.participants has add, .*remove, upd",
        ),
        (lambda talkjs: talkjs.conversations.set_access, "talkjs.participants has add, "),
        (lambda talkjs: talkjs.messages.list_reactions, "talkjs.reactions has add, list, remove$"),
        (lambda talkjs: talkjs.messages.mark_as_read, "talkjs.conversations has .*mark_as_read"),
        (lambda talkjs: talkjs.users.create_token, "talkjs.tokens has app, signature, user$"),
        (
            lambda talkjs: talkjs.tokens.create,
            "Tokens has no 'create': it has app, sig",
        ),
        (lambda talkjs: talkjs.users.is_online, "talkjs.presences has query$"),
        (lambda talkjs: talkjs.get_user, "AsyncTalkJS has no 'get_user': talkjs.users has get, "),
        (
            lambda talkjs: talkjs.user_token,
            "AsyncTalkJS has no .user_token.: talkjs.tokens has app, signature, user$",
        ),
        (lambda talkjs: talkjs.upload, "AsyncTalkJS has no 'upload': talkjs.files has upload$"),
        (lambda talkjs: talkjs.user, "AsyncTalkJS has no 'user': talkjs.users has get, "),
        (lambda talkjs: talkjs.message, "talkjs.messages has delete, "),
        (lambda talkjs: talkjs.export, r"it is bulk.export\(talkjs, directory\), from talkjs_asy"),
        (lambda talkjs: talkjs.zzz, "AsyncTalkJS has no 'zzz': it has aclose, app, .*users, with_"),
    ],
)
def test_a_method_by_another_name_is_told_ours(
    talkjs: Any, ask: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(AttributeError, match=words):
        ask(talkjs)


def test_an_attribute_that_is_there_and_fails_says_why() -> None:
    class Broken(AsyncTalkJS):
        @property
        def shop(self) -> str:
            return self.not_there  # type: ignore[attr-defined,no-any-return]  # as it happens

    with pytest.raises(AttributeError, match="Broken has no 'not_there'"):
        Broken("app", "sk_test_wrong_calls").shop  # noqa: B018 - to ask is all
    with pytest.raises(AttributeError, match="'_tokens'"):
        object.__new__(AsyncTalkJS).tokens  # noqa: B018


def test_what_python_asks_of_any_object_is_answered(talkjs: Any) -> None:
    assert copy.copy(talkjs.users) is not talkjs.users
    for each in (talkjs, talkjs.users, talkjs.tokens):
        assert not hasattr(each, "__fspath__")
        with pytest.raises(AttributeError, match=r"has no '_zzz'$"):
            each._zzz  # noqa: B018 - to ask is all


async def test_an_error_of_the_function_itself_stays_what_it_is() -> None:
    class Broken(Resource):
        def get(self, user_id: str) -> Call[None]:
            raise TypeError(f"no {user_id}")

    broken = endpoint(Broken.get)

    with pytest.raises(TypeError, match="no bob"):
        await broken(Broken(None), "bob")  # type: ignore[arg-type]  # nothing is sent


async def test_a_list_of_calls_is_told_to_be_calls(talkjs: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"not list: give calls one by one, as in batch"):
        await talkjs.batch([call_of(talkjs.users.get, "alice")])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda talkjs: talkjs.messages.send(
                "chat",
                sender="bob",
                attachment_token=UploadedFile(token="t", filename="f", content_type="a/b", size=1),
            ),
            "^attachment_token: .* Give its token[.]$",
        ),
        (
            lambda talkjs: talkjs.messages.send("chat", sender=SendReceipt(id="msg_1"), text="Hi"),
            "^sender: .* Give its id[.]$",
        ),
        (
            lambda talkjs: talkjs.messages.get("chat", message_id=SendReceipt(id="msg_1")),
            "^message_id: .* Give its id[.]$",
        ),
        (
            lambda talkjs: talkjs.users.get(RetryPolicy()),
            r"^user_id: .*\(str\), not RetryPolicy[.]$",
        ),
    ],
)
async def test_an_object_in_the_place_of_its_id_is_told_what_is_meant(
    talkjs: Any, make: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await make(talkjs)


def test_content_that_is_nested_too_deep_is_refused(talkjs: Any) -> None:
    node: str | MarkupNode = "x"
    for _ in range(2_000):
        node = MarkupNode(type="bold", children=(node,))

    with pytest.raises(ConfigurationError, match="nested too deep"):
        call_of(talkjs.messages.send, "c", sender="a", content=[TextBlock(children=(node,))])
