"""
Uploads.

Seen in TalkJS's own programs, with the secret key, and in its JavaScript SDK, which posts to the
same host and path with a user's token. That a part `filename` counts more than the name in the head
of `file` is inferred.
"""

from typing import Any

from talkjs_async.emulator._multipart import Part, read_multipart
from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator.files import File

__all__ = ["routes"]

routes: Routes = Routes()

_SUBTYPES = ("image", "video", "audio", "voice")

# Documented, for anonymous test projects. A general limit was not found.
_MAX_ANONYMOUS_SIZE = 1_000_000


@routes.add(
    "files.upload",
    "POST",
    "/files",
    mark="code",
    source="TalkJS's transfer program, 2026; JavaScript SDK",
    user_tokens=True,
)
def upload(context: RouteContext) -> Any:
    """Store a file and return its token, for use in messages."""
    content_type = context.request.headers.get(b"content-type", b"").decode("latin-1")
    parts = read_multipart(content_type, context.request.body)
    part = parts.get("file")
    filename = _text(parts, "filename") or (part and part.filename)
    if part is None or not filename:
        raise bad_request(["file: is required, with a filename."])
    if context.app.is_anonymous and len(part.content) > _MAX_ANONYMOUS_SIZE:
        raise bad_request(["file: must be 1 MB at most in an anonymous test project."])
    token = context.world.ids.make("tok_")
    context.app.files[token] = File(
        token=token,
        app_id=context.app.id,
        filename=filename,
        content_type=part.content_type,
        content=part.content,
        subtype=_subtype(parts),
        width=_number(parts, "width"),
        height=_number(parts, "height"),
        duration=_number(parts, "duration"),
    )
    context.commit("file.uploaded", detail={"token": token, "size": len(part.content)})
    keys = ("attachmentToken", "fileToken")
    chosen = context.switches.upload_key
    return {key: token for key in keys if chosen in ("both", key)}


def _subtype(parts: dict[str, Part]) -> str | None:
    subtype = _text(parts, "subtype")
    if subtype is not None and subtype not in _SUBTYPES:
        raise bad_request([f"subtype: must be one of {', '.join(_SUBTYPES)}."])
    return subtype


def _text(parts: dict[str, Part], name: str) -> str | None:
    part = parts.get(name)
    return None if part is None else part.content.decode(errors="replace")


def _number(parts: dict[str, Part], name: str) -> float | None:
    part = parts.get(name)
    if part is None:
        return None
    try:
        value = float(part.content)
    except ValueError as error:
        raise bad_request([f"{name}: must be a number."]) from error
    if not 0 <= value < float("inf"):
        raise bad_request([f"{name}: must be zero or more."])
    return int(value) if value.is_integer() else value
