"""How functions become methods: ordinary coroutine functions, and the same request as a value."""

from __future__ import annotations

import inspect
import pickle
from typing import Any
from unittest.mock import create_autospec

import anyio
import pytest

from talkjs_async import AsyncTalkJS, ConfigurationError, call_of
from talkjs_async.emulator import Emulator
from talkjs_async.resources.users import Users

pytestmark = pytest.mark.anyio


@pytest.fixture
def talkjs() -> AsyncTalkJS:
    """A client that sends nothing here."""
    return AsyncTalkJS("app", "sk_test_endpoint")


def test_a_method_is_an_ordinary_coroutine_function(talkjs: AsyncTalkJS) -> None:
    method = talkjs.users.get

    assert inspect.iscoroutinefunction(method)
    assert ["user_id"] == list(inspect.signature(method).parameters)
    assert "User" == inspect.signature(method).return_annotation
    assert (method.__doc__ or "").strip().startswith("Read one user.")


def test_a_list_method_says_what_it_lists(talkjs: AsyncTalkJS) -> None:
    assert "Records[User]" == inspect.signature(talkjs.users.list).return_annotation


async def test_a_method_can_be_started_in_a_task_group(emulator: Emulator) -> None:
    async with (
        AsyncTalkJS(**emulator.options) as talkjs,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(talkjs.app.get)

    assert 1 == len(emulator.requests)


async def test_a_resource_can_be_replaced_by_a_mock_of_its_shape() -> None:
    users: Any = create_autospec(Users, instance=True)
    users.get.return_value = "alice"

    assert "alice" == await users.get("alice")
    with pytest.raises(TypeError):
        await users.get()


def test_the_call_of_a_method_is_its_request(talkjs: AsyncTalkJS) -> None:
    call = call_of(talkjs.users.get, "a/b")

    assert ("GET", "/users/a%2Fb", {}, None) == (call.method, call.path, call.query, call.body)


def test_the_call_of_a_list_is_its_first_page(talkjs: AsyncTalkJS) -> None:
    call = call_of(talkjs.users.list, limit=7, starting_after="x")

    assert ("/users", {"limit": "7", "startingAfter": "x"}) == (call.path, call.query)


def test_the_arguments_of_a_call_are_checked_at_once(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="user_id"):
        call_of(talkjs.users.get, "")


def test_a_call_says_the_version_of_its_client(talkjs: AsyncTalkJS) -> None:
    older = talkjs.with_options(api_version="2021-01-01")

    assert None is call_of(talkjs.users.get, "a").api_version
    assert "2021-01-01" == call_of(older.users.get, "a").api_version
    assert "2021-01-01" == call_of(older.users.list).api_version


def test_a_call_can_be_pickled_and_still_reads_its_answer(talkjs: AsyncTalkJS) -> None:
    calls: list[Any] = [
        call_of(talkjs.users.get, "a"),
        call_of(talkjs.messages.send, "c", sender="a", text="hi"),
        call_of(talkjs.messages.send_many, "c", [{"sender": "a", "text": "hi"}]),
        call_of(talkjs.messages.list, "c", limit=5),
        call_of(talkjs.conversations.list, order_direction="ASC"),
        call_of(talkjs.files.upload, b"content", filename="a.txt"),
    ]

    copies = [pickle.loads(pickle.dumps(call)) for call in calls]

    assert [call.body for call in calls] == [copy.body for copy in copies]
    assert "m1" == copies[1].result([{"id": "m1"}]).id
    assert ("m1",) == tuple(sent.id for sent in copies[2].result([{"id": "m1"}]))
    assert () == copies[3].result({"data": []}).items
    assert "t" == copies[5].result({"fileToken": "t"}).token


@pytest.mark.parametrize(
    "method",
    [print, Users.get, "users.get", None],
    ids=["function", "function of the class", "text", "None"],
)
def test_what_is_no_method_of_a_resource_is_refused(method: Any) -> None:
    with pytest.raises(ConfigurationError, match="not an endpoint"):
        call_of(method)


async def test_a_method_of_the_client_itself_is_no_endpoint(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(ConfigurationError, match="not an endpoint"):
        call_of(talkjs.aclose)
