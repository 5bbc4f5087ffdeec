"""Plain requests to a TalkJS, whichever it is: no client in between that would mend an answer."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import httpx

from talkjs_async import Limiter
from talkjs_async.emulator.routes import ROUTER, Router

_ROUTERS: Final = {
    is_open: Router(route for route in ROUTER.routes if route.open is is_open)
    for is_open in (True, False)
}


def route_of(method: str, path: str) -> str | None:
    """Return the name of what answers a path below `/v1/{appId}`, or below `/v1`. None: nothing."""
    found = _ROUTERS[path.startswith("/anonymousAccounts")].find(method, path)
    return None if found is None else found[0].name


def _signed(claims: Mapping[str, object], secret_key: str) -> str:
    """A token, as short as the key may be."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT"}, dict(claims))
    ]
    signature = hmac.digest(secret_key.encode(), b".".join(parts), "sha256")
    return b".".join((*parts, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


@attrs.frozen
class Answer:
    """What came back: the status, the body as JSON where it is JSON, otherwise as text."""

    status: int
    body: Any

    @property
    def is_unknown_call(self) -> bool:
        """Whether it is the path or the method that is not there, rather than the record."""
        return self.status == 501 or (self.status, self.body) == (404, "Not found")


@attrs.define
class Asker:
    """
    Asks one app of a TalkJS.

    Attributes:
        http: Its base URL is that of TalkJS, without `/v1`.
        app_id, secret_key: The app.
        limiter: Lets each request through. None: at once.
        note: Called with method, path and answer of each request to the app.
        prefix: What all IDs begin with.
    """

    http: httpx.AsyncClient
    app_id: str
    secret_key: str
    limiter: Limiter | None = None
    note: Callable[[str, str, Answer], object] = lambda *_: None
    prefix: str = attrs.field(factory=lambda: f"talkjs-async-test-{secrets.token_hex(4)}-")
    _conversations: set[str] = attrs.field(factory=set, init=False)
    _users: set[str] = attrs.field(factory=set, init=False)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        app_id: str | None = None,
        claims: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        file: tuple[str, bytes] | None = None,
        **query: str | int,
    ) -> Answer:
        """
        Make one request.

        Args:
            method, path: Below the app.
            body: Becomes JSON.
            app_id: Another one than this app's.
            claims: Of the token, instead of the usual ones.
            headers: More of them.
            data: A body that is not JSON.
            file: Name and content of a file to upload.
            query: Parameters.
        """
        if claims is None:
            claims = {"tokenType": "app", "iss": self.app_id, "exp": int(time.time()) + 30}
        token = _signed(claims, self.secret_key)
        content: dict[str, Any] = {}
        if body is not None:
            content = {"content": json.dumps(body).encode()}
            headers = {"content-type": "application/json", **(headers or {})}
        if data is not None:
            content = {"content": data}
        if file is not None:
            content = {"files": {"file": file}, "data": {"filename": file[0]}}
        request = self.http.build_request(
            method,
            f"/v1/{app_id or self.app_id}{path}",
            params=query or None,
            headers={"authorization": f"Bearer {token}", **(headers or {})},
            **content,
        )
        permit = None if self.limiter is None else await self.limiter.acquire()
        try:
            response = await self.http.send(request)
        finally:
            if permit is not None:
                permit.settle()
        try:
            answer = Answer(response.status_code, response.json())
        except ValueError:
            answer = Answer(response.status_code, response.text)
        if app_id is None:
            self.note(method, path, answer)
        return answer

    async def users(self, *names: str, **fields: object) -> list[str]:
        """Store users; return their IDs, which no other run has."""
        ids = [self.prefix + name for name in names]
        self._users.update(ids)
        await self.good("PUT", "/users", {id_: {"name": "Test", **fields} for id_ in ids})
        return ids

    async def chat(self, name: str) -> tuple[str, str, str]:
        """Store a conversation of two users; return its path and the users' IDs."""
        alice, bob = await self.users("alice", "bob")
        path = self.conversation(name)
        await self.good("PUT", path, {"participants": [alice, bob]})
        return path, alice, bob

    def conversation(self, name: str) -> str:
        """Return the path of a conversation that this asker may make."""
        path = f"/conversations/{self.prefix}{name}"
        self._conversations.add(path)
        return path

    async def tidy_up(self) -> None:
        """Delete the conversations and empty the users, which cannot be deleted."""
        for path in self._conversations:
            await self.ask("DELETE", path)
        if self._users:
            empty = {"name": "[DELETED]", "email": None, "phone": None, "custom": None}
            await self.ask("PUT", "/users", dict.fromkeys(self._users, empty))

    async def say(self, chat: str, sender: str, text: str = "hi", **fields: object) -> Answer:
        """Send a message."""
        message = {"type": "UserMessage", "sender": sender, "text": text, **fields}
        return await self.ask("POST", f"{chat}/messages", [message])

    async def good(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """Make a request that has to succeed; return its body."""
        answer = await self.ask(method, path, body, **query)
        if answer.status != 200:
            raise Unclear(f"{method} {path} answers {answer.status}: {answer.body}")
        return answer.body


class Unclear(Exception):
    """The answers do not tell which choice it is."""
