"""A receiver of webhooks, and something to tell it of."""

import json
from typing import Any

MESSAGES = "/conversations/chat/messages"


class Inbox:
    """An ASGI application that writes down what it gets."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append((headers, body))
        self.paths.append(scope["path"])
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def say(text: str = "hi") -> list[dict[str, str]]:
    return [{"type": "UserMessage", "sender": "alice", "text": text}]
