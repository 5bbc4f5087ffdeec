"""`AsyncTalkJS` itself: what it is built from, what it refuses, what it never shows."""

from __future__ import annotations

import logging
import pickle
import pydoc
import traceback
from functools import cached_property
from importlib import import_module
from typing import Any
from unittest.mock import create_autospec

import anyio
import httpx
import pytest

from talkjs_async import (
    AppTokenAuth,
    AsyncTalkJS,
    ConfigurationError,
    LimiterUnavailable,
    OwnBudgets,
    ProcessBudgets,
    RetryPolicy,
    SecretKeyAuth,
    TalkJSError,
    TokenBucket,
    Unauthorized,
)
from talkjs_async.emulator import Emulator, VirtualClock
from tests.fixtures import EngineName, MakeTalkJS

pytestmark = pytest.mark.anyio


SECRET = "sk_test_canary_8d2f6a_never_to_be_seen"


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"app_id": None}, "app_id"),
        ({"secret_key": None}, "secret_key"),
        ({"secret_key": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"}, "secret_key"),
        ({"base_url": "api.talkjs.com"}, "base_url"),
        ({"base_url": "ftp://api.talkjs.com"}, "base_url"),
        ({"base_url": "https://api.talkjs.com?x=1"}, "base_url"),
        ({"base_url": "https://me:hush@api.talkjs.com"}, "base_url"),
        ({"app_id": 5}, "app_id"),
        ({"app_id": "a b"}, "app_id"),
        ({"app_id": "x" * 5_000}, "app_id"),
        ({"secret_key": 5}, "secret_key"),
        ({"secret_key": f"{SECRET}\u200b{SECRET}"}, "secret_key"),
        ({"secret_key": f"{SECRET} {SECRET}"}, "secret_key"),
        ({"engine": "requests"}, "engine"),
        ({"engine": 2}, "engine"),
        ({"engine": "httpx2", "http_client": httpx.AsyncClient()}, "engine"),
        (
            {"engine": "httpx2", "transport": httpx.MockTransport(lambda _: httpx.Response(200))},
            "engine",
        ),
        ({"http_client": "https://proxy"}, "http_client"),
        ({"http_client": httpx.Client()}, "http_client"),
        ({"transport": object()}, "transport"),
        ({"auth": "x"}, "auth"),
        ({"auth": AppTokenAuth}, "auth"),
        ({"clock": 5}, "clock"),
        ({"retry": None}, "retry"),
        ({"retry": 0}, "retry"),
        ({"retry": True}, "retry"),
        ({"retry": "3"}, "retry"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": (1, 2)}, "timeout"),
        ({"overflow_to_batch": "yes"}, "overflow_to_batch"),
        ({"hooks": print}, "hooks"),
        ({"hooks": [7]}, "hooks"),
        ({"hooks": [anyio.sleep]}, "hooks"),
        ({"lane": ["interactive"]}, "lane"),
        ({"api_version": 2024}, "api_version"),
        ({"lane": "fast"}, "lane"),
        ({"max_wait": -1.0}, "max_wait"),
        ({"max_wait": "2"}, "max_wait"),
        ({"budgets": ProcessBudgets}, "budgets"),
        ({"budgets": "redis://localhost"}, "budgets"),
        ({"budgets": TokenBucket()}, "budgets"),
        ({"max_wait": float("nan")}, "max_wait"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"api_version": "2024\n01"}, "api_version"),
        ({"api_version": "2024-01-01 "}, "api_version"),
        ({"api_version": " "}, "api_version"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(
    arguments: dict[str, Any], argument: str
) -> None:
    given = {"app_id": "app", "secret_key": SECRET, **arguments}

    with pytest.raises(ConfigurationError) as caught:
        AsyncTalkJS(**given)

    assert argument == caught.value.argument


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKJS_APP_ID", "from_env")
    monkeypatch.setenv("TALKJS_SECRET_KEY", SECRET)
    monkeypatch.setenv("TALKJS_BASE_URL", "http://127.0.0.1:9/")

    assert "<AsyncTalkJS http://127.0.0.1:9/v1/from_env>" == repr(AsyncTalkJS())


def test_a_missing_key_is_one_sentence_that_says_where_to_get_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncTalkJS("app")

    assert (
        "secret_key: is missing: pass it or set TALKJS_SECRET_KEY (TalkJS dashboard, Settings)."
        == str(caught.value)
    )


def test_a_client_and_a_transport_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="transport"):
        AsyncTalkJS(
            "app",
            SECRET,
            http_client=httpx.AsyncClient(),
            transport=httpx.MockTransport(lambda request: httpx.Response(200)),
        )


def test_clients_of_one_app_share_one_budget() -> None:
    clock = VirtualClock()
    one, two, other = (AsyncTalkJS(app, SECRET, clock=clock) for app in ("a", "a", "b"))

    assert one._pipeline.limiters["ordinary"] is two._pipeline.limiters["ordinary"]
    assert one._pipeline.limiters["batch"] is two._pipeline.limiters["batch"]
    assert one._pipeline.limiters["ordinary"] is not other._pipeline.limiters["ordinary"]


def test_a_client_with_a_server_or_limiter_of_its_own_shares_nothing(emulator: Emulator) -> None:
    limiter = TokenBucket()
    shared = AsyncTalkJS("a", SECRET)
    with_transport = AsyncTalkJS("a", SECRET, transport=emulator.transport)
    with_limiter = AsyncTalkJS("a", SECRET, budgets=OwnBudgets(limiter, TokenBucket()))

    assert limiter is with_limiter._pipeline.limiters["ordinary"]
    for bucket in ("ordinary", "batch"):
        limiters = {
            id(client._pipeline.limiters[bucket])
            for client in (shared, with_transport, with_limiter)
        }
        assert 3 == len(limiters)


async def test_clients_of_an_emulator_with_the_same_budgets_cause_no_429(
    emulator: Emulator,
) -> None:
    budgets = ProcessBudgets()
    clients = [AsyncTalkJS(**emulator.options, budgets=budgets) for _ in range(3)]

    async with anyio.create_task_group() as tasks:
        for talkjs in clients:
            for _ in range(250):
                tasks.start_soon(talkjs.users.list().first)

    assert {200} == {exchange.status for exchange in emulator.requests}


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_transport_that_opens_connections_shares_the_budget_of_the_process(library: str) -> None:
    opens_connections: Any = type("Mine", (import_module(library).AsyncHTTPTransport,), {})

    talkjs = AsyncTalkJS("a", SECRET, transport=opens_connections(verify=False))

    assert AsyncTalkJS("a", SECRET)._pipeline.limiters == talkjs._pipeline.limiters


async def test_a_client_with_one_limiter_refuses_batches_and_overflow() -> None:
    budgets = OwnBudgets(TokenBucket())
    talkjs = AsyncTalkJS("a", SECRET, budgets=budgets)

    for use in (lambda: talkjs.batch, lambda: talkjs.batch_budget):
        with pytest.raises(ConfigurationError, match=r"^budgets: has no limiter for batches"):
            use()
    with pytest.raises(ConfigurationError, match=r"^budgets: has no limiter for batches"):
        AsyncTalkJS("a", SECRET, budgets=budgets, overflow_to_batch=True)


async def test_two_clients_with_the_same_budgets_share_both() -> None:
    budgets = ProcessBudgets()

    one, other = (AsyncTalkJS("a", SECRET, budgets=budgets) for _ in range(2))

    assert one._pipeline.limiters == other._pipeline.limiters


async def test_closing_budgets_refuses_the_calls_of_their_clients(emulator: Emulator) -> None:
    budgets = ProcessBudgets()
    talkjs = AsyncTalkJS("a", SECRET, budgets=budgets, transport=emulator.transport)

    await budgets.aclose()

    with pytest.raises(LimiterUnavailable):
        await talkjs.users.get("alice")


async def test_derived_clients_share_connections_and_budget(talkjs: AsyncTalkJS) -> None:
    derived = talkjs.with_options(
        lane="background",
        max_wait=1.0,
        timeout=5.0,
        retry=RetryPolicy(attempts=1),
        api_version="2024-01-01",
        hooks=[lambda event: None],
    )

    await derived.users.list().collect()

    assert 1 == talkjs.budget.granted
    assert derived._pipeline.connections is talkjs._pipeline.connections
    assert "interactive" == talkjs._pipeline.lane
    assert "background" == derived._pipeline.lane


async def test_options_left_out_stay_as_they_are(talkjs: AsyncTalkJS) -> None:
    derived = talkjs.with_options(lane="background").with_options(max_wait=3.0)

    assert ("background", 3.0) == (derived._pipeline.lane, derived._pipeline.max_wait)
    assert derived.with_options(max_wait=None)._pipeline.max_wait is None


async def test_the_api_version_travels_as_a_header(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    await make_talkjs(api_version="2021-02-09").users.list().collect()

    assert "2021-02-09" == emulator.requests[0].api_version


async def test_the_legacy_key_works_as_bearer(make_talkjs: MakeTalkJS, emulator: Emulator) -> None:
    talkjs = make_talkjs(auth=SecretKeyAuth(emulator.secret_key))

    assert [] == await talkjs.users.list().collect()


async def test_a_wrong_key_is_unauthorized(make_talkjs: MakeTalkJS, emulator: Emulator) -> None:
    talkjs = make_talkjs(auth=AppTokenAuth(emulator.app_id, "wrong"))

    with pytest.raises(Unauthorized):
        await talkjs.users.list().collect()


@pytest.mark.parametrize("status", [200, 401, 302, 503])
async def test_an_answer_of_any_status_ends_in_a_value_or_our_error(
    status: int, engine: str
) -> None:
    library = import_module(engine)
    transport = library.MockTransport(lambda request: library.Response(status, json={}))

    async with AsyncTalkJS(
        "app", SECRET, retry=RetryPolicy(attempts=1), transport=transport
    ) as talkjs:
        with pytest.raises(TalkJSError):
            await talkjs.users.get("alice")


async def test_an_injected_client_is_used_and_left_open(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as http_client:
        async with AsyncTalkJS(
            emulator.app_id,
            emulator.secret_key,
            http_client=http_client,
            budgets=OwnBudgets(TokenBucket(clock=emulator.clock)),
            clock=emulator.clock,
        ) as talkjs:
            await talkjs.users.list().collect()

        assert not http_client.is_closed


async def test_the_escape_hatch_takes_the_same_road(
    talkjs: AsyncTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-503", first=1)

    await talkjs.request("PUT", "/users/a%2Fb", json={"name": "Slash"})
    user = await talkjs.request("GET", "/users/a%2Fb")
    listed = await talkjs.request("GET", "/users", params={"limit": "1"})

    assert "a/b" == user["id"]
    assert [user] == listed["data"]
    assert 4 == talkjs.budget.granted


async def test_a_batch_through_the_escape_hatch_is_paid_as_one(
    talkjs: AsyncTalkJS, make_talkjs: MakeTalkJS
) -> None:
    await talkjs.request("POST", "/batch", json=[[1, "PUT", "/users/a", {"name": "A"}]])
    await talkjs.request("GET", "/users/a")
    alone = make_talkjs(budgets=OwnBudgets(TokenBucket()))
    with pytest.raises(ConfigurationError, match=r"^budgets: has no limiter for batches"):
        await alone.request("POST", "/batch", json=[])

    assert (1, 1) == (talkjs.budget.granted, talkjs.batch_budget.granted)


@pytest.mark.parametrize(
    "path",
    [
        *["users", "/users/a b", "/users/ü", "/users?limit=1", "/a#b", "", "/a%", "/a%zz", None, 7],
        # They lead to another app, or out of the API.
        *["/..", "/../other", "/users/../../other/users", "/.", "/%2e%2e/other", "/.%2E", "//x"],
        *[
            "/..%2fother",
            "/users%2F..%2F..%2Fother",
            "/a%5c..%5cb",
            "/..;/other",
            "/%2e%2e;x/other",
        ],
    ],
)
async def test_a_path_that_is_not_encoded_or_leads_elsewhere_is_refused(
    talkjs: AsyncTalkJS, path: Any
) -> None:
    with pytest.raises(ConfigurationError, match="path"):
        await talkjs.request("GET", path)

    assert 0 == talkjs.budget.granted


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"method": "FETCH"}, "method"),
        ({"method": None}, "method"),
        ({"params": {"limit": 5}}, "params"),
        ({"params": [("limit", "5")]}, "params"),
        ({"params": {"limit": "\ud83d"}}, "params"),
        ({"params": {"x": "y" * 70_000}}, "params"),
        ({"json": {}}, "json"),
        ({"method": "PUT", "json": {"a": float("nan")}}, "json"),
        ({"method": "PUT", "json": {"a": object()}}, "json"),
    ],
)
async def test_what_is_no_request_is_refused(
    talkjs: AsyncTalkJS, arguments: dict[str, Any], argument: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await talkjs.request(**{"method": "GET", "path": "/users", **arguments})

    assert argument == caught.value.argument
    assert 0 == talkjs.budget.granted


def test_one_client_serves_several_event_loops(emulator: Emulator, engine: EngineName) -> None:
    talkjs = AsyncTalkJS(
        emulator.app_id,
        emulator.secret_key,
        engine=engine,
        transport=emulator.transport,
        clock=emulator.clock,
    )

    async def call() -> None:
        await talkjs.users.list().collect()

    for backend in ("asyncio", "asyncio", "trio", "asyncio", "trio"):
        anyio.run(call, backend=backend)

    assert 5 == talkjs.budget.granted


@pytest.mark.parametrize("around", ["{}\n", " {}", "\ufeff{}", "\t{}\r\n"])
async def test_blanks_around_credentials_are_not_theirs(
    emulator: Emulator, around: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", around.format(emulator.secret_key))
    async with AsyncTalkJS(
        around.format(emulator.app_id), transport=emulator.transport, clock=emulator.clock
    ) as talkjs:
        assert [] == await talkjs.users.list().collect()

    assert emulator.app_id == talkjs.app_id


def test_a_key_that_cannot_be_one_is_never_shown() -> None:
    with pytest.raises(ConfigurationError, match="blank, line break or invisible") as caught:
        AsyncTalkJS("app", f"{SECRET} {SECRET}")

    assert SECRET not in str(caught.value)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    own = [frame for frame in frames if "talkjs_async" in frame.filename]
    assert own
    assert SECRET not in str([frame.locals for frame in own])


@pytest.mark.parametrize("credentials", [(None, SECRET), ("app", None), (5, SECRET)])
def test_a_failed_construction_without_credentials_shows_no_key(credentials: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncTalkJS(*credentials)

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    own = [frame for frame in frames if "talkjs_async" in frame.filename]
    assert SECRET not in str([frame.locals for frame in own])


def test_a_misspelt_word_is_guessed() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'background'"):
        AsyncTalkJS("app", SECRET, lane="Backgroud")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="did you mean 'httpx2'"):
        AsyncTalkJS("app", SECRET, engine="httpx_2")  # type: ignore[arg-type]


async def test_retries_can_be_given_as_their_number(
    make_talkjs: MakeTalkJS, emulator: Emulator
) -> None:
    emulator.faults.add("return-503")

    for talkjs in (make_talkjs(retry=2), make_talkjs().with_options(retry=2)):
        asked_before = len(emulator.requests)
        with pytest.raises(TalkJSError):
            await talkjs.users.get("alice")
        assert 2 == len(emulator.requests) - asked_before


def test_a_timeout_of_either_library_is_taken(engine: str) -> None:
    timeout = import_module(engine).Timeout(5.0, connect=2.0)

    talkjs = AsyncTalkJS("app", SECRET, timeout=timeout)

    assert {"connect": 2.0, "read": 5.0, "write": 5.0, "pool": None} == talkjs._pipeline.timeout


def test_a_client_of_either_library_says_the_engine(engine: str) -> None:
    talkjs = AsyncTalkJS("app", SECRET, http_client=import_module(engine).AsyncClient())

    assert engine == talkjs._pipeline.connections.engine.name


def test_the_class_shows_the_resources() -> None:
    shown = pydoc.plain(pydoc.render_doc(AsyncTalkJS))

    for name in ("users", "conversations", "messages", "files", "themes", "batch"):
        assert name in dir(AsyncTalkJS)
        assert f"\n |  {name} = " in shown


async def test_a_client_can_be_replaced_by_a_mock_of_its_shape() -> None:
    talkjs: Any = create_autospec(AsyncTalkJS, instance=True)
    talkjs.users.get.return_value = "alice"

    assert "alice" == await talkjs.users.get("alice")
    with pytest.raises(TypeError):
        await talkjs.users.get()
    with pytest.raises(AttributeError):
        talkjs.users.got  # noqa: B018 - looking is the test


def test_a_resource_is_made_once() -> None:
    talkjs = AsyncTalkJS("app", SECRET)

    assert talkjs.users is talkjs.users
    assert talkjs.files is talkjs.files
    assert talkjs.with_options(lane="background").users is not talkjs.users


class Named(AsyncTalkJS):
    """A client of a program's own, with an attribute of its own."""

    def __init__(self, *args: Any, name: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.name = name


class Slotted(AsyncTalkJS):
    """The same, with a slot."""

    __slots__ = ("name",)
    name: str


def test_a_subclass_keeps_what_its_slots_hold() -> None:
    talkjs = Slotted("app", "sk_x")
    talkjs.name = "mine"

    assert "mine" == talkjs.with_options(lane="background").with_options(max_wait=1).name


async def test_a_subclass_keeps_what_it_has(emulator: Emulator) -> None:
    talkjs = Named(
        emulator.app_id,
        emulator.secret_key,
        name="mine",
        transport=emulator.transport,
        clock=emulator.clock,
    )

    derived = talkjs.with_options(lane="background")

    assert isinstance(derived, Named)
    assert "mine" == derived.name
    assert [] == await derived.users.list().collect()
    await talkjs.aclose()


class Support(AsyncTalkJS):
    """A client with a part that is made of it at first use."""

    @cached_property
    def lane(self) -> str:
        return self._pipeline.lane


def test_what_a_subclass_has_made_of_one_client_is_made_anew_for_another() -> None:
    talkjs = Support("app", "sk_x")

    lanes = [talkjs.lane, talkjs.with_options(lane="background").lane, talkjs.lane]

    assert ["interactive", "background", "interactive"] == lanes


async def test_a_derived_client_owns_nothing(talkjs: AsyncTalkJS) -> None:
    async with talkjs.with_options(lane="background", hooks=[lambda _event: None]) as derived:
        await derived.users.list().collect()
    await talkjs.with_options(max_wait=1.0).aclose()

    assert [] == await talkjs.users.list().collect()


async def test_the_client_that_owns_closes_for_all(talkjs: AsyncTalkJS) -> None:
    derived = talkjs.with_options(lane="background")

    await talkjs.aclose()

    with pytest.raises(ConfigurationError, match="closed"):
        await derived.users.list().collect()


def test_a_client_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="build one per process"):
        pickle.dumps(AsyncTalkJS("app", SECRET))


@pytest.mark.parametrize("holder", [AppTokenAuth("app", SECRET), SecretKeyAuth(SECRET)], ids=repr)
def test_what_holds_the_key_is_neither_pickled_nor_shown(holder: object) -> None:
    assert SECRET not in repr(holder)
    with pytest.raises(TypeError):
        pickle.dumps(holder)


async def test_the_key_appears_in_no_log_error_or_traceback(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = Emulator(secret_key=SECRET)
    emulator.faults.add("return-401")
    async with AsyncTalkJS(
        emulator.app_id, SECRET, transport=emulator.transport, clock=emulator.clock
    ) as talkjs:
        with pytest.raises(Unauthorized) as caught:
            await talkjs.users.get("alice")

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    everything = "".join(shown.format()) + caplog.text + repr(talkjs) + repr(caught.value)
    auth = talkjs._pipeline.auth
    assert auth is not None
    token = auth.bearer(emulator.clock.time())
    assert SECRET not in everything
    assert token.split(".")[0] not in everything


def test_a_failed_construction_shows_no_key() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncTalkJS("app", SECRET, lane="fast")  # type: ignore[arg-type]

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    own = [frame for frame in frames if "talkjs_async" in frame.filename]
    assert own
    assert SECRET not in str([frame.locals for frame in own])


async def test_a_client_makes_tokens_for_front_ends(talkjs: AsyncTalkJS) -> None:
    token = talkjs.with_options(lane="background").tokens.user("alice")

    assert 3 == len(token.split("."))


def test_without_a_secret_key_there_are_no_tokens() -> None:
    talkjs = AsyncTalkJS("app", auth=SecretKeyAuth(SECRET))

    with pytest.raises(ConfigurationError, match="secret_key"):
        _ = talkjs.tokens
