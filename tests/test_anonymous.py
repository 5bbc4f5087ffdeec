"""Anonymous projects: the one part of the API without an app."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from talkjs_async import (
    AsyncTalkJS,
    ConfigurationError,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    RateLimitWaitTimeout,
)
from talkjs_async.anonymous import AnonymousProjects
from talkjs_async.emulator import Emulator
from tests.fixtures import EngineName
from tests.hostile.raw_server import RawServer, always, answer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def anonymous(emulator: Emulator, engine: EngineName) -> AsyncIterator[AnonymousProjects]:
    """What makes projects on the emulator."""
    async with AnonymousProjects(
        engine=engine, transport=emulator.transport, clock=emulator.clock
    ) as projects:
        yield projects


async def test_a_project_is_made_read_and_used(
    anonymous: AnonymousProjects, emulator: Emulator
) -> None:
    made = await anonymous.create()
    assert made.access_token is not None

    project = await anonymous.get(made.access_token)
    async with AsyncTalkJS(
        project.app_id, project.secret_key, transport=emulator.transport, clock=emulator.clock
    ) as talkjs:
        await talkjs.users.upsert("alice", name="Alice")

    assert (made.app_id, made.claim_url) == (project.app_id, project.claim_url)
    assert made.secret_key is None
    assert project.app_id != emulator.app_id
    assert [project.app_id] == [commit.app_id for commit in emulator.commits.of("user.created")]


async def test_the_documented_pace_is_kept_without_a_refusal(
    anonymous: AnonymousProjects, emulator: Emulator
) -> None:
    began = emulator.clock.monotonic()

    apps = {(await anonymous.create()).app_id for _ in range(3)}

    assert 3 == len(apps)
    assert [200] * 3 == [exchange.status for exchange in emulator.requests]
    assert 60.0 <= emulator.clock.monotonic() - began <= 62.0


async def test_clients_of_one_process_keep_the_pace_together(emulator: Emulator) -> None:
    for _ in range(3):
        async with AnonymousProjects(
            transport=emulator.transport, clock=emulator.clock
        ) as anonymous:
            await anonymous.create()

    assert [200] * 3 == [exchange.status for exchange in emulator.requests]


async def test_whoever_will_not_wait_is_told_how_long_it_would_be(emulator: Emulator) -> None:
    async with AnonymousProjects(
        transport=emulator.transport, clock=emulator.clock, max_wait=1.0
    ) as anonymous:
        made = await anonymous.create()
        with pytest.raises(RateLimitWaitTimeout) as caught:
            await anonymous.create()
        assert made.access_token is not None
        await anonymous.get(made.access_token)

    assert 29.0 < caught.value.retry_after <= 31.0


async def test_a_refusal_because_of_somebody_else_is_waited_for(emulator: Emulator) -> None:
    emulator.faults.add("return-429-retry-after-30", on="POST /anonymousAccounts", first=1)
    for _ in range(2):
        async with AnonymousProjects(
            transport=emulator.transport, clock=emulator.clock
        ) as anonymous:
            await anonymous.create()

    assert 2 == len(emulator.commits.of("app.created"))


async def test_no_second_project_is_made_when_an_answer_is_lost(
    anonymous: AnonymousProjects, emulator: Emulator
) -> None:
    emulator.faults.add("drop-after-commit", on="POST /anonymousAccounts")

    with pytest.raises(OutcomeUnknown):
        await anonymous.create()

    assert 1 == len(emulator.commits.of("app.created"))


async def test_a_project_that_somebody_has_claimed_is_gone(anonymous: AnonymousProjects) -> None:
    with pytest.raises(NotFound):
        await anonymous.get("claimed")


async def test_no_credential_is_sent(anonymous: AnonymousProjects, emulator: Emulator) -> None:
    await anonymous.create()

    assert ("POST", "/anonymousAccounts", "") == (
        emulator.requests[0].method,
        emulator.requests[0].path,
        emulator.requests[0].app_id,
    )


async def test_secrets_are_not_shown(anonymous: AnonymousProjects) -> None:
    made = await anonymous.create()
    project = await anonymous.get(str(made.access_token))

    shown = f"{made!r} {project!r} {anonymous!r}"
    assert str(made.access_token) not in shown
    assert str(project.secret_key) not in shown


@pytest.mark.parametrize("access_token", ["", ".", "..", None])
async def test_a_token_that_cannot_be_one_is_refused(
    anonymous: AnonymousProjects, emulator: Emulator, access_token: str
) -> None:
    with pytest.raises(ConfigurationError, match="access_token"):
        await anonymous.get(access_token)

    assert 0 == len(emulator.requests)


def test_it_takes_every_option_of_a_client_that_is_not_about_an_app() -> None:
    of_an_app = {
        *("app_id", "secret_key", "auth", "api_version"),
        *("budgets", "overflow_to_batch", "lane"),
    }
    ours = inspect.signature(AsyncTalkJS).parameters
    theirs = inspect.signature(AnonymousProjects).parameters

    assert {name: ours[name] for name in ours if name not in of_an_app} == dict(theirs)


async def test_its_connections_and_answers_have_the_bounds_that_are_given(
    anyio_backend: str, engine: EngineName
) -> None:
    authority, own = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(own)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    project = answer(b'{"appId":"a1","secretKey":"s","padding":"%b"}' % (b"x" * 900))
    with RawServer(always(project), tls=own) as server, RawServer(always(project)) as proxy:
        async with AnonymousProjects(
            engine=engine, base_url=server.url, ssl_context=trust
        ) as trusting:
            assert "a1" == (await trusting.get("token")).app_id
        async with AnonymousProjects(
            engine=engine, base_url="http://talkjs.test", proxy=proxy.url, max_answer_bytes=900
        ) as bounded:
            with pytest.raises(DecodeError, match="at most 900 bytes"):
                await bounded.get("token")
        with pytest.raises(ConfigurationError, match="attempt_timeout: must be above 0"):
            AnonymousProjects(attempt_timeout=0)

    assert 1 == len(proxy.seen)
