"""The app's own data, and its themes."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = pytest.mark.anyio
Send = Callable[..., Awaitable[httpx.Response]]

THEME: dict[str, Any] = {
    "base": "default_v6",
    "files": {"Message.template": "<template/>", "layout.json": "{}", "notes.txt": "ignored"},
}


async def test_the_app_has_an_id_and_what_was_put(send: Send) -> None:
    assert (await send("GET", "")).json() == {"id": "emulator"}

    body = {"id": "emulator", "custom": {"city": "Eindhoven"}, "defaultLocale": "nl-NL"}
    assert (await send("PUT", "/", body)).json() == {}

    assert (await send("GET", "")).json() == body


async def test_the_apps_custom_data_may_be_by_language(send: Send) -> None:
    custom = {"shop": {"en-US": "Blue", "nl-NL": "Blauw"}, "tel": "1"}

    await send("PUT", "", {"custom": custom})

    assert (await send("GET", "")).json()["custom"] == custom
    refused = await send("PUT", "", {"custom": {"shop": {"en-US": 1}}})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "body", [{"id": "other"}, {"custom": {"a": 1}}, {"defaultLocale": "Dutch!"}, []]
)
async def test_wrong_data_is_refused(emulator: Emulator, send: Send, body: object) -> None:
    assert (await send("PUT", "", body)).status_code == 400
    assert len(emulator.commits) == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_theme_is_overwritten_and_deleted_as_a_whole(send: Send, method: str) -> None:
    assert (await send("GET", "/themes")).json() == {}

    await send(method, "/themes", {"dark": THEME, "plain": {"files": {}}})
    themes = (await send("GET", "/themes")).json()
    assert themes == {
        "dark": {
            "base": "default_v6",
            "files": {"Message.template": "<template/>", "layout.json": "{}"},
        },
        "plain": {"base": "default_v7", "files": {}},
    }

    await send(method, "/themes", {"dark": None, "never": None})
    assert list((await send("GET", "/themes")).json()) == ["plain"]


@pytest.mark.parametrize(
    "body", [[], {"dark": 1}, {"dark": {"base": 7}}, {"dark": {"files": {"a.template": 1}}}]
)
async def test_a_wrong_theme_is_refused(send: Send, body: object) -> None:
    assert (await send("PUT", "/themes", body)).status_code == 400


async def test_the_method_is_a_setting(emulator: Emulator, send: Send) -> None:
    emulator.switches.themes_method = "PATCH"

    assert (await send("PUT", "/themes", {})).status_code == 404
    assert (await send("PATCH", "/themes", {})).status_code == 200
