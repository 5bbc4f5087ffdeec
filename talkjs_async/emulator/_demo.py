"""A conversation to look at in an emulator that has just been started."""

import json

from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator._world import World
from talkjs_async.emulator.admission import admit

_USERS = {
    "alice": {"name": "Alice", "email": ["alice@example.com"], "role": "buyer"},
    "sebastian": {"name": "Sebastian", "email": ["sebastian@example.com"], "role": "seller"},
}
_CONVERSATION = {"participants": ["alice", "sebastian"], "subject": "The red bicycle"}
_MESSAGES = [
    {"type": "SystemMessage", "text": "Alice asked about *The red bicycle*"},
    {"type": "UserMessage", "sender": "alice", "text": "Hi! Is it still for sale?"},
    {"type": "UserMessage", "sender": "sebastian", "text": "It is. Come and _see_ it today?"},
]
_PATH = "/conversations/red-bicycle"


def fill_with_demo(world: World) -> None:
    """Send what the page's example consists of, through the emulator's admission."""
    for method, path, body in (
        ("PUT", "/users", _USERS),
        ("PUT", _PATH, _CONVERSATION),
        ("POST", f"{_PATH}/messages", _MESSAGES),
    ):
        request = Request(
            method=method,
            path=f"/v1/{world.app_id}{path}",
            headers={
                b"authorization": f"Bearer {world.secret_key}".encode(),
                b"content-type": b"application/json",
            },
            body=json.dumps(body).encode(),
        )
        handle(world, admit(world, request))
