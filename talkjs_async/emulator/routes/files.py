"""
Uploads. Seen in TalkJS's JavaScript SDK, which posts to the same host and path with a user's
token; that REST uploads may give the same metadata is documented.
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
    source="TalkJS's JavaScript SDK",
    user_tokens=True,
)
def upload(context: RouteContext) -> Any:
    """Store a file and return its token, for use in messages."""
    content_type = context.request.headers.get(b"content-type", b"").decode("latin-1")
    parts = read_multipart(content_type, context.request.body)
    part = parts.get("file")
    if part is None or part.filename is None:
        raise bad_request(["file: is required, with a filename."])
    if context.app.is_anonymous and len(part.content) > _MAX_ANONYMOUS_SIZE:
        raise bad_request(["file: must be 1 MB at most in an anonymous test project."])
    token = context.world.ids.make("tok_")
    context.app.files[token] = File(
        token=token,
        app_id=context.app.id,
        filename=part.filename,
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
    part = parts.get("subtype")
    if part is None:
        return None
    subtype = part.content.decode(errors="replace")
    if subtype not in _SUBTYPES:
        raise bad_request([f"subtype: must be one of {', '.join(_SUBTYPES)}."])
    return subtype


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
