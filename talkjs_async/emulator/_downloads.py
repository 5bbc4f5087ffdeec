"""Uploaded files, to be got again. Not a part of the API: TalkJS has storage hosts for that."""

from talkjs_async.emulator._paths import FILES
from talkjs_async.emulator._problems import not_found
from talkjs_async.emulator._responses import Response, problem_response
from talkjs_async.emulator._world import World

# An uploaded page must not act as the inspection page, which has the same origin.
_HARMLESS = (
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
)


def download(world: World, path: str) -> Response:
    """Return an uploaded file: `/_emulator/files/<app>/<token>/<name>`."""
    app_id, _, rest = path.removeprefix(FILES).partition("/")
    app = world.apps.get(app_id)
    file = app.files.get(rest.partition("/")[0]) if app else None
    if file is None:
        return problem_response(not_found("file", path))
    return Response(200, file.content, (*_HARMLESS, (b"content-type", file.media_type)))
