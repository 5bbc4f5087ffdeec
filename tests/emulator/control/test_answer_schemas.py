"""Every answer of the control API is what its description says."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator
from talkjs_async.emulator.control import OPERATIONS
from tests.emulator.inbox import Inbox

pytestmark = pytest.mark.anyio

CHANGE = {"X-Emulator": "1"}

SAMPLES: dict[str, tuple[str, Any]] = {
    "GET /": ("/", None),
    "POST /reset": ("/reset", {}),
    "GET /clock": ("/clock", None),
    "POST /clock": ("/clock", {"advance": 1}),
    "GET /faults": ("/faults", None),
    "POST /faults": ("/faults", {"id": "return-503", "first": 9, "on": "GET /themes"}),
    "DELETE /faults": ("/faults", None),
    "DELETE /faults/{number}": ("/faults/1", None),
    "GET /fault-types": ("/fault-types", None),
    "GET /switches": ("/switches", None),
    "PATCH /switches": ("/switches", {"not_a_participant": 400}),
    "GET /behaviour": ("/behaviour", None),
    "GET /limits": ("/limits", None),
    "PATCH /limits": ("/limits", {"retry_after": "date", "rate": 4.5}),
    "POST /seed": ("/seed", {"name": "demo"}),
    "GET /snapshots": ("/snapshots", None),
    "PUT /snapshots/{name}": ("/snapshots/one", None),
    "POST /snapshots/{name}/restore": ("/snapshots/one/restore", None),
    "GET /requests": ("/requests", None),
    "GET /commits": ("/commits", None),
    "GET /deliveries": ("/deliveries", None),
    "POST /users/{user}/say": (
        "/users/alice/say",
        {"conversation": "red-bicycle", "text": "Hello"},
    ),
    "POST /users/{user}/read": ("/users/alice/read", {"conversation": "red-bicycle"}),
    "POST /users/{user}/type": ("/users/alice/type", {"conversation": "red-bicycle"}),
    "POST /users/{user}/online": ("/users/alice/online", {}),
    "DELETE /users/{user}/online": ("/users/alice/online", None),
    "GET /webhooks": ("/webhooks", None),
    "POST /webhooks": ("/webhooks", {"url": "http://localhost:9", "events": ["user.created"]}),
    "DELETE /webhooks": ("/webhooks", None),
    "POST /events": ("/events", {"type": "message.sent"}),
    "GET /inbox": ("/inbox", None),
    "GET /events/pending": ("/events/pending", None),
    "POST /events/hold": ("/events/hold", None),
    "POST /events/spoil": ("/events/spoil", {"duplicate": True}),
    "POST /events/release": ("/events/release", None),
    "POST /deliveries/{number}/resend": ("/deliveries/1/resend", None),
    "POST /settle": ("/settle", {}),
    "GET /openapi.json": ("/openapi.json", None),
}


async def test_every_answer_is_of_the_type_that_is_described() -> None:
    emulator = Emulator(inbox_limit=10, body_limit=100)
    emulator.webhooks.to(Inbox())
    emulator.faults.add("return-503", on="POST /files", first=1)
    transport = httpx.ASGITransport(app=emulator.asgi)
    base = "http://localhost/_emulator/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=CHANGE) as http:
        described = (await http.get("/openapi.json")).json()
        for setup in ("POST /seed", "PUT /snapshots/{name}", "POST /users/{user}/say"):
            path, body = SAMPLES[setup]
            await http.request(setup.split()[0], path, json=body)
        await emulator.webhooks.settle()
        await http.post("/events/hold")
        await http.post("/events", json={"type": "message.read"})
        # What empties comes last, one before all.
        emptying = ("/reset", "/snapshots/{name}/restore")
        gentle = [o for o in OPERATIONS if o.method != "DELETE" and o.path not in emptying]
        others = [one for one in OPERATIONS if one not in gentle]
        others.sort(key=lambda one: -len(one.path))
        for operation in (*gentle, *others):
            path, body = SAMPLES[f"{operation.method} {operation.path}"]
            content = None if body is None else json.dumps(body)
            answer = await http.request(operation.method, path, content=content)
            shown = described["paths"][operation.path][operation.method.lower()]
            schema = shown["responses"]["200"]["content"]["application/json"]["schema"]

            assert 200 == answer.status_code, (path, answer.text)
            assert schema, path
            assert [] == list(wrong_in(answer.json(), schema, described, path))


LOGS = {"requests": "Request", "commits": "Commit", "deliveries": "Delivery"}


async def test_logs_are_described_with_everything_in_them() -> None:
    """Of what may be null or empty, here is one that is not."""
    emulator = Emulator(body_limit=100)
    emulator.webhooks.to(Inbox(500))
    emulator.faults.add("return-503", on="GET /users", first=1)
    transport = httpx.ASGITransport(app=emulator.asgi)
    app = f"http://localhost/v1/{emulator.app_id}"
    key = {"authorization": f"Bearer {emulator.secret_key}"}
    async with httpx.AsyncClient(transport=transport, headers=CHANGE | key) as http:
        await http.get(f"{app}/users", headers={"TalkJS-REST-Version": "2024-01-01"})
        await http.post(f"{app}/batch", json=[[1, "PUT", "/users/a", {"name": "A"}]])
        await http.put(f"{app}/conversations/c", json={"participants": ["a"]})
        message = {"type": "UserMessage", "sender": "a", "text": "hi", "idempotencyKey": "k"}
        for _ in range(2):
            await http.post(f"{app}/conversations/c/messages", json=[message])
        emulator.webhooks.tamper("signature")
        await emulator.webhooks.settle()
        described = (await http.get("http://localhost/_emulator/v1/openapi.json")).json()

        for log, name in (
            ("requests", "Request"),
            ("commits", "Commit"),
            ("deliveries", "Delivery"),
        ):
            entries = (await http.get(f"http://localhost/_emulator/v1/{log}")).json()
            schema = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
            assert entries
            assert [] == list(wrong_in(entries, schema, described, log))


KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def wrong_in(value: Any, schema: dict[str, Any], document: Any, where: str) -> Iterator[str]:
    """Say where a value is not what its schema says; of JSON Schema only what is used here."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        choices = [list(wrong_in(value, one, document, where)) for one in schema["anyOf"]]
        if all(choices):
            yield f"{where}: {choices}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not in {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']}"
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, KINDS[kind]) or (kind != "boolean" and isinstance(value, bool))
    ):
        yield f"{where}: {value!r} is not of type {kind}"
    elif kind == "array":
        for number, one in enumerate(value):
            yield from wrong_in(one, schema["items"], document, f"{where}[{number}]")
    elif kind == "object":
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        yield from (
            f"{where}.{name} lacks" for name in schema.get("required", ()) if name not in value
        )
        for name, one in value.items():
            if name not in properties and others is False:
                yield f"{where}.{name} is not described"
            else:
                yield from wrong_in(one, properties.get(name, others), document, f"{where}.{name}")
