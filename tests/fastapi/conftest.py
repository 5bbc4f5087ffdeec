"""Apps that talk to the test's emulator."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from talkjs_async import AsyncTalkJS, TalkJSError, Webhooks
from talkjs_async.emulator import Emulator
from talkjs_async.fastapi import WebhookRouter, lifespan_with, talkjs_exception_handler
from tests.fastapi.apps import MakeApp


@pytest.fixture
def webhooks(emulator: Emulator) -> Webhooks:
    """Signs what the app under test accepts."""
    return Webhooks(emulator.secret_key, clock=emulator.clock)


@pytest.fixture
def make_app(emulator: Emulator, webhooks: Webhooks) -> MakeApp:
    """Build an app that talks to the emulator in process, with options for its client."""

    def make(router: WebhookRouter | None = None, **options: Any) -> FastAPI:
        client = partial(
            AsyncTalkJS,
            emulator.app_id,
            emulator.secret_key,
            transport=emulator.transport,
            clock=emulator.clock,
            **options,
        )
        app = FastAPI(
            lifespan=lifespan_with(client, webhooks=lambda: webhooks),
            exception_handlers={TalkJSError: talkjs_exception_handler},
        )
        if router is not None:
            app.include_router(router)
        return app

    return make
