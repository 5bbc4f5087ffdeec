"""The app itself and its themes. Source: the REST API page "App" of TalkJS's documentation."""

import re
from typing import Any

from talkjs_async.emulator._checks import (
    Check,
    map_of,
    nullable,
    read,
    text,
    updated_custom,
    wrong_fields,
)
from talkjs_async.emulator._problems import bad_request, no_such_call
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes

__all__ = ["routes"]

routes: Routes = Routes()

# The documentation's sample; which one is the latest is not said.
_LATEST_THEME_BASE = "default_v7"

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_THEME_FILE = re.compile(r".+\.template|layout\.json")


def _locale(value: object) -> str | None:
    if isinstance(value, str) and _LANGUAGE_TAG.fullmatch(value):
        return None
    return "must be a supported language, such as 'en-US'"


def _by_language(value: object) -> str | None:
    """Accept a text, or texts by language, which the app's custom data may hold (third party)."""
    return map_of(text)(value) if isinstance(value, dict) else text(value)


_FIELDS: dict[str, Check] = {
    "id": text,
    "custom": nullable(map_of(nullable(_by_language))),
    "defaultLocale": _locale,
}
_THEME_FIELDS: dict[str, Check] = {"base": text, "files": map_of(text)}


@routes.add("app.get", "GET", "/", mark="documented", source="App")
def get(context: RouteContext) -> Any:
    """Return the app's own data."""
    app = context.app
    body: dict[str, Any] = {"id": app.id}
    if app.custom:
        body["custom"] = app.custom
    if app.default_locale is not None:
        body["defaultLocale"] = app.default_locale
    return body


@routes.add("app.update", "PUT", "/", mark="documented", source="App")
def update(context: RouteContext) -> Any:
    """Change the app's own data. The ID may be given, but not changed."""
    app = context.app
    body = read(context.json(), _FIELDS, context.switches)
    if body.get("id", app.id) != app.id:
        raise bad_request([f"id: must be {app.id!r}."])
    if "custom" in body:
        app.custom = updated_custom(app.custom, body["custom"], context.switches)
    if "defaultLocale" in body:
        app.default_locale = body["defaultLocale"]
    context.commit("app.updated")
    return {}


@routes.add("themes.get", "GET", "/themes", mark="documented", source="App, Themes")
def get_themes(context: RouteContext) -> Any:
    """Return all themes by name."""
    return context.app.themes


@routes.add("themes.update", "PUT", "/themes", mark="inferred", source="App, Themes")
def put_themes(context: RouteContext) -> Any:
    """Overwrite the themes that are given; null deletes one."""
    return _update_themes(context, "PUT")


@routes.add("themes.patch", "PATCH", "/themes", mark="inferred", source="App, Themes")
def patch_themes(context: RouteContext) -> Any:
    """Do the same: which of the two methods TalkJS has is not known."""
    return _update_themes(context, "PATCH")


def _update_themes(context: RouteContext, method: str) -> Any:
    if context.switches.themes_method not in (method, "both"):
        raise no_such_call()
    themes = context.json()
    if not isinstance(themes, dict):
        raise bad_request(["The body must be an object of name to theme."])
    problems = wrong_fields(themes, dict.fromkeys(themes, _theme), context.switches)
    if problems:
        raise bad_request([f"{name}: {wrong}." for name, wrong in problems.items()])
    for name, theme in themes.items():
        if theme is None:
            context.app.themes.pop(name, None)
        else:
            files = theme.get("files", {})
            context.app.themes[name] = {
                "base": theme.get("base", _LATEST_THEME_BASE),
                # Documented: files with other names are ignored.
                "files": {file: files[file] for file in files if _THEME_FILE.fullmatch(file)},
            }
        context.commit("themes.updated", detail={"theme": name})
    return {}


def _theme(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return "must be a theme, or null"
    for name, check in _THEME_FIELDS.items():
        if name in value and (wrong := check(value[name])) is not None:
            return f"{name} {wrong}"
    return None
