"""
Anonymous test projects: an app without an account. Documented in TalkJS's own instructions of
2026 for coding tools.
"""

from typing import Any

from talkjs_async.emulator._problems import Problem, not_found
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator._stored_records import StoredApp

__all__ = ["routes"]

routes: Routes = Routes()

# Documented: one project per IP address in so many seconds.
_CREATE_EVERY = 30.0


@routes.add(
    "anonymous.create",
    "POST",
    "/anonymousAccounts",
    mark="documented",
    source="TalkJS skills",
    open=True,
)
def create(context: RouteContext) -> Any:
    """Make an app that has no owner yet."""
    world = context.world
    now = world.clock.monotonic()
    before = world.anonymous_created_at.get(context.request.client)
    if before is not None and now - before < _CREATE_EVERY:
        reason = f"One project per {_CREATE_EVERY:.0f} seconds."
        raise Problem(429, "TOO_MANY_REQUESTS", [reason])
    world.anonymous_created_at[context.request.client] = now
    # App IDs are short (documented sample: eight characters).
    app_id = world.ids.make("")[:8]
    app = world.add_app(app_id, world.ids.make("sk_test_"))
    app.is_anonymous = True
    access_token = world.ids.make("")
    world.anonymous_accounts[access_token] = app
    context.commit("app.created", detail={"appId": app_id})
    return {"appId": app_id, "accessToken": access_token, "claimUrl": _claim_url(app)}


@routes.add(
    "anonymous.get",
    "GET",
    "/anonymousAccounts/{token}",
    mark="documented",
    source="TalkJS skills",
    open=True,
)
def get(context: RouteContext, access_token: str) -> Any:
    """Return the app's secret key, until the app is claimed."""
    app = context.world.anonymous_accounts.get(access_token)
    if app is None:
        raise not_found("account", "anonymous")
    return {"appId": app.id, "secretKey": app.secret_keys[0], "claimUrl": _claim_url(app)}


def _claim_url(app: StoredApp) -> str:
    return f"https://emulator.invalid/claim/{app.id}"
