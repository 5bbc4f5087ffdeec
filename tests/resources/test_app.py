"""The app and its themes: every method, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from talkjs_async import AsyncTalkJS, BadRequest, UnknownEndpoint
from talkjs_async.emulator import Emulator
from talkjs_async.models.themes import Theme

pytestmark = pytest.mark.anyio


async def test_the_app_is_read_and_changed(talkjs: AsyncTalkJS) -> None:
    fresh = await talkjs.app.get()

    await talkjs.app.update(custom={"shop": "Blue"}, default_locale="nl-NL")
    await talkjs.app.update(custom={"tel": "1"})
    changed = await talkjs.app.get()

    assert ("emulator", {}, None) == (fresh.id, fresh.custom, fresh.default_locale)
    assert ({"shop": "Blue", "tel": "1"}, "nl-NL") == (changed.custom, changed.default_locale)


async def test_custom_data_by_language_is_read(talkjs: AsyncTalkJS) -> None:
    custom = {"shop": {"en-US": "Blue", "nl-NL": "Blauw"}, "tel": "1"}
    await talkjs.request("PUT", "/", json={"custom": custom})

    assert custom == (await talkjs.app.get()).custom


async def test_none_clears_the_custom_data(talkjs: AsyncTalkJS) -> None:
    await talkjs.app.update(custom={"shop": "Blue"})

    await talkjs.app.update(custom=None)

    assert {} == (await talkjs.app.get()).custom


async def test_a_language_that_talkjs_does_not_know_is_refused(talkjs: AsyncTalkJS) -> None:
    with pytest.raises(BadRequest, match="defaultLocale"):
        await talkjs.app.update(default_locale="klingon, please")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_themes_are_written_read_and_deleted(
    talkjs: AsyncTalkJS, emulator: Emulator, method: Any
) -> None:
    emulator.switches.themes_method = method
    blue = Theme(base="default_v7", files={"Chat.template": "<b/>", "layout.json": "{}"})
    newest = Theme(files={"Chat.template": "<i/>"})

    await talkjs.themes.update({"blue": blue, "new": newest}, method=method)
    both = await talkjs.themes.get()
    await talkjs.themes.update({"new": None}, method=method)

    assert blue == both["blue"]
    assert both["new"].base is not None
    assert newest.files == both["new"].files
    assert {"blue": blue} == await talkjs.themes.get()


async def test_the_other_method_can_be_asked_for(talkjs: AsyncTalkJS, emulator: Emulator) -> None:
    emulator.switches.themes_method = "PATCH"

    with pytest.raises(UnknownEndpoint):
        await talkjs.themes.update({"blue": None})
