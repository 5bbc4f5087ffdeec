"""
One probe per switch: asks a TalkJS, any of them, and says which choice of the switch it takes.

The emulator has every choice, so each probe is proven on it before it is believed about TalkJS.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from tests.contracts.asking import Answer, Asker, Unclear

Choice = str | int | bool
Probe = Callable[[Asker], Awaitable[Choice]]
P = TypeVar("P", bound=Probe)

PROBES: dict[str, Probe] = {}

CANNOT_BE_PROBED: Final = {
    "batch_charges": "would take the whole budget of the app, and several minutes",
    "presence_shape": "needs a user with TalkJS's interface open",
    "rate_limit_body": "would take the whole burst of the app, faster than a live run may ask",
    "webhook_timestamp": "needs a receiver that TalkJS can reach",
}


def probe(switch: str) -> Callable[[P], P]:
    """Register the probe of a switch."""

    def register(function: P) -> P:
        PROBES[switch] = function
        return function

    return register


def choose(answer: Answer, choices: dict[int, Choice]) -> Choice:
    """Return the choice that a status stands for."""
    if answer.status not in choices:
        raise Unclear(f"answers {answer.status}: {answer.body}")
    return choices[answer.status]


async def last_message(ask: Asker, chat: str) -> Any:
    """Return the newest message, as a single one is shown."""
    [newest] = (await ask.good("GET", f"{chat}/messages", limit=1))["data"]
    return await ask.good("GET", f"{chat}/messages/{newest['id']}")


async def is_unread(ask: Asker, chat: str, user: str) -> bool:
    """Tell whether a participant has something to read."""
    conversation = await ask.good("GET", chat)
    unread: bool = conversation["participants"][user]["isUnread"]
    return unread


@probe("limit_over_max")
async def limit_over_max(ask: Asker) -> Choice:
    if (await ask.ask("GET", "/conversations", limit=31)).status != 200:
        return "reject"
    far = await ask.ask("GET", "/conversations", limit=101)
    return "clamp" if far.status == 200 else "up_to_100"


@probe("unknown_cursor")
async def unknown_cursor(ask: Asker) -> Choice:
    await ask.users("alice")
    answer = await ask.ask("GET", "/users", limit=1, startingAfter=f"{ask.prefix}nobody")
    if answer.status != 200:
        return choose(answer, {400: "reject"})
    return "start" if answer.body["data"] else "empty"


@probe("order_ties")
async def order_ties(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("ties")
    messages = [{"type": "UserMessage", "sender": alice, "text": "hi"}] * 10
    sent = [one["id"] for one in await ask.good("POST", f"{chat}/messages", messages)]
    listed = (await ask.good("GET", f"{chat}/messages", limit=100))["data"]
    if len({one["createdAt"] for one in listed}) > 1:
        raise Unclear("messages of one request have different times")
    ids = [one["id"] for one in reversed(listed)]
    if ids not in (sent, sorted(sent)):
        raise Unclear("neither by arrival nor by ID")
    return "sequence" if ids == sent else "id"


@probe("messages_of_unknown_conversation")
async def messages_of_unknown_conversation(ask: Asker) -> Choice:
    answer = await ask.ask("GET", f"/conversations/{ask.prefix}nowhere/messages")
    return choose(answer, {404: "not_found", 200: "empty"})


@probe("idempotent_repeat")
async def idempotent_repeat(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("repeat")
    first, second = [
        await ask.say(chat, alice, idempotencyKey=f"{ask.prefix}repeat") for _ in range(2)
    ]
    if second.status == 200 and second.body != first.body:
        raise Unclear(f"answers {second.body} after {first.body}")
    return choose(second, {200: "same_id", 409: "error"})


@probe("idempotency_scope")
async def idempotency_scope(ask: Asker) -> Choice:
    chats = [await ask.chat(name) for name in ("one", "other")]
    for chat, alice, _ in chats:
        await ask.say(chat, alice, idempotencyKey=f"{ask.prefix}scope")
    stored = (await ask.good("GET", f"{chats[1][0]}/messages"))["data"]
    return "conversation" if stored else "app"


@probe("delete_unknown")
async def delete_unknown(ask: Asker) -> Choice:
    answer = await ask.ask("DELETE", f"/conversations/{ask.prefix}nowhere")
    return choose(answer, {404: "not_found", 200: "ok"})


@probe("put_conversation_unknown_user")
async def put_conversation_unknown_user(ask: Asker) -> Choice:
    path = ask.conversation("odd")
    answer = await ask.ask("PUT", path, {"participants": [f"{ask.prefix}nobody"]})
    return choose(answer, {400: "error", 404: "error", 200: "ok"})


@probe("not_a_participant")
async def not_a_participant(ask: Asker) -> Choice:
    chat, _, _ = await ask.chat("closed")
    [carol] = await ask.users("carol")
    return choose(await ask.say(chat, carol), {403: 403, 400: 400})


@probe("unknown_fields")
async def unknown_fields(ask: Asker) -> Choice:
    [odd] = await ask.users("odd")
    answer = await ask.ask("PUT", f"/users/{odd}", {"shoeSize": "44"})
    return choose(answer, {200: "ignore", 400: "reject"})


@probe("wrong_content_type")
async def wrong_content_type(ask: Asker) -> Choice:
    [plain] = await ask.users("plain")
    answer = await ask.ask(
        "PUT",
        f"/users/{plain}",
        data=b'{"name": "Plain"}',
        headers={"content-type": "text/plain"},
    )
    return choose(answer, {400: "bad_request", 415: "unsupported_media_type", 200: "ignore"})


@probe("lone_surrogates")
async def lone_surrogates(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("surrogates")
    answer = await ask.say(chat, alice, "half \ud83d")
    if answer.status != 200:
        return choose(answer, {400: "reject"})
    text = (await last_message(ask, chat))["text"]
    if text not in ("half \ud83d", "half �"):
        raise Unclear(f"became {text!r}")
    return "keep" if text == "half \ud83d" else "replace"


@probe("custom_update")
async def custom_update(ask: Asker) -> Choice:
    [alice] = await ask.users("alice", custom={"a": "1"})
    await ask.good("PUT", f"/users/{alice}", {"custom": {"b": "2"}})
    custom = (await ask.good("GET", f"/users/{alice}"))["custom"]
    return "merge" if custom == {"a": "1", "b": "2"} else "replace"


@probe("custom_edit_sets_edited_at")
async def custom_edit_sets_edited_at(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("edited")
    [sent] = (await ask.say(chat, alice)).body
    await ask.good("PUT", f"{chat}/messages/{sent['id']}", {"custom": {"a": "1"}})
    return (await last_message(ask, chat))["editedAt"] is not None


@probe("empty_phone")
async def empty_phone(ask: Asker) -> Choice:
    [alice] = await ask.users("never-set")
    return "null" if (await ask.good("GET", f"/users/{alice}"))["phone"] is None else "list"


@probe("none_participants")
async def none_participants(ask: Asker) -> Choice:
    chat, _, bob = await ask.chat("none")
    await ask.good("PATCH", f"{chat}/participants/{bob}", {"access": "None"})
    return "listed" if bob in (await ask.good("GET", chat))["participants"] else "hidden"


@probe("read_marks")
async def read_marks(ask: Asker) -> Choice:
    chat, _, _ = await ask.chat("marks")
    return "present" if "everyoneReadUntil" in await ask.good("GET", chat) else "absent"


@probe("empty_participants")
async def empty_participants(ask: Asker) -> Choice:
    path = ask.conversation("empty")
    await ask.good("PUT", path, {})
    return "list" if (await ask.good("GET", path))["participants"] == [] else "object"


@probe("unset_role")
async def unset_role(ask: Asker) -> Choice:
    [alice] = await ask.users("never-set")
    return "null" if (await ask.good("GET", f"/users/{alice}"))["role"] is None else "default"


@probe("message_content")
async def message_content(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("content")
    await ask.say(chat, alice)
    return "present" if "content" in await last_message(ask, chat) else "absent"


@probe("reactions_shape")
async def reactions_shape(ask: Asker) -> Choice:
    _, message, _, _ = await _reacted(ask, "shape")
    reactions = (await ask.good("GET", message)).get("reactions")
    if reactions is None:
        return "absent"
    return "users" if isinstance(reactions["👍"], list) else "counts"


@probe("reaction_list")
async def reaction_list(ask: Asker) -> Choice:
    reactions, _, _, _ = await _reacted(ask, "list")
    return "data" if isinstance(await ask.good("GET", reactions), dict) else "bare"


@probe("reaction_pages")
async def reaction_pages(ask: Asker) -> Choice:
    reactions, _, _, _ = await _reacted(ask, "pages")
    pages: list[str] = []
    for _ in range(2):
        query = {"startingAfter": pages[0]} if pages else {}
        page = await ask.good("GET", reactions, limit=1, **query)
        [one] = page["data"] if isinstance(page, dict) else page
        pages.append(one["userId"])
    return "first" if pages[0] == pages[1] else "all"


async def _reacted(ask: Asker, name: str) -> tuple[str, str, str, str]:
    """Have two users react to a message; return the paths of reactions and message, and them."""
    chat, alice, bob = await ask.chat(name)
    [sent] = (await ask.say(chat, alice)).body
    message = f"{chat}/messages/{sent['id']}"
    for user in (alice, bob):
        await ask.good("PUT", f"{message}/reactions/%F0%9F%91%8D/{user}", {})
    return f"{message}/reactions/%F0%9F%91%8D", message, alice, bob


@probe("upload_key")
async def upload_key(ask: Asker) -> Choice:
    answer = await ask.ask("POST", "/files", file=("a.txt", b"plain text"))
    keys = [key for key in ("attachmentToken", "fileToken") if key in answer.body]
    if not keys:
        raise Unclear(f"answers {answer.status} with {sorted(answer.body)}")
    return keys[0] if len(keys) == 1 else "both"


@probe("user_conversation_fields")
async def user_conversation_fields(ask: Asker) -> Choice:
    chat, alice, _ = await ask.chat("fields")
    shown = await ask.good("GET", chat)
    [listed] = [
        one
        for one in (await ask.good("GET", f"/users/{alice}/conversations"))["data"]
        if one["id"] == shown["id"]
    ]
    return "present" if set(listed) - set(shown) else "absent"


@probe("reasons")
async def reasons(ask: Asker) -> Choice:
    answer = await ask.ask("PUT", f"/users/{ask.prefix}nameless", {"name": 7})
    if not isinstance(answer.body, dict) or "reasons" not in answer.body:
        raise Unclear(f"answers {answer.status}: {answer.body}")
    return "fields" if isinstance(answer.body["reasons"], dict) else "list"


@probe("users_batch_errors")
async def users_batch_errors(ask: Asker) -> Choice:
    bad = f"{ask.prefix}bad"
    answer = await ask.ask("PUT", "/users", {bad: {"role": "nameless"}})
    if answer.status != 400 or not isinstance(answer.body, dict):
        raise Unclear(f"answers {answer.status}: {answer.body}")
    if bad in answer.body:
        return "bare"
    return "reasons" if bad in answer.body.get("reasons", ()) else "unnamed"


@probe("unknown_app")
async def unknown_app(ask: Asker) -> Choice:
    answer = await ask.ask("GET", "/users", app_id="talkjsAsyncNone")
    return choose(answer, {404: "not_found", 401: "unauthorized"})


@probe("unknown_path")
async def unknown_path(ask: Asker) -> Choice:
    answer = await ask.ask("GET", "/there-is-no-such-thing")
    return choose(answer, {404: "not_found", 501: "not_implemented"})


@probe("mark_as_read")
async def mark_as_read(ask: Asker) -> Choice:
    now = int(time.time() * 1000) + 60_000
    worked = []
    for form in ("participant", "read_by", "user_conversation"):
        chat, alice, bob = await ask.chat(f"read-{form}")
        await ask.say(chat, alice)
        if not await is_unread(ask, chat, bob):
            raise Unclear("a new message leaves nothing unread")
        method, path, body = {
            "participant": ("PATCH", f"{chat}/participants/{bob}", {"readUntil": now}),
            "read_by": ("POST", f"{chat}/readBy/{bob}", None),
            "user_conversation": ("PATCH", f"/users/{bob}{chat}", {"readUntil": now}),
        }[form]
        await ask.ask(method, path, body)
        if not await is_unread(ask, chat, bob):
            worked.append(form)
    if len(worked) == 2 or not worked:
        raise Unclear(f"works: {worked}")
    return worked[0] if len(worked) == 1 else "all"


@probe("old_sessions")
async def old_sessions(ask: Asker) -> Choice:
    [alice] = await ask.users("alice")
    answer = await ask.ask("GET", f"/users/{alice}/sessions")
    return choose(answer, {200: "served", 404: "gone", 501: "gone"})


async def _import(ask: Asker, name: str) -> Answer:
    chat, alice, _ = await ask.chat(name)
    message = {
        "type": "UserMessage",
        "sender": alice,
        "text": "old",
        "createdAt": 1_558_096_200_000,
    }
    return await ask.ask("POST", f"/import{chat}/messages", [message])


@probe("import_rules")
async def import_rules(ask: Asker) -> Choice:
    return choose(await _import(ask, "import"), {200: "current", 400: "older"})


@probe("import_answer")
async def import_answer(ask: Asker) -> Choice:
    answer = await _import(ask, "import-answer")
    if answer.status != 200:
        raise Unclear("the older rules, which answer nothing")
    return "ids" if isinstance(answer.body, list) else "empty"


@probe("themes_method")
async def themes_method(ask: Asker) -> Choice:
    if await ask.good("GET", "/themes"):
        raise Unclear("the app has themes, which must stay as they are")
    works = [
        method
        for method in ("PUT", "PATCH")
        if not (await ask.ask(method, "/themes", {})).is_unknown_call
    ]
    if not works:
        raise Unclear("neither PUT nor PATCH")
    return works[0] if len(works) == 1 else "both"


@probe("admin_tokens")
async def admin_tokens(ask: Asker) -> Choice:
    claims = {"tokenType": "admin", "iss": ask.app_id, "exp": int(time.time()) + 30}
    return choose(await ask.ask("GET", "/", claims=claims), {401: "reject", 200: "accept"})


@probe("exp_claim")
async def exp_claim(ask: Asker) -> Choice:
    claims = {"tokenType": "app", "iss": ask.app_id}
    return choose(await ask.ask("GET", "/", claims=claims), {401: "required", 200: "optional"})


@probe("unknown_version")
async def unknown_version(ask: Asker) -> Choice:
    answer = await ask.ask("GET", "/users", headers={"TalkJS-REST-Version": "2099-01-01"})
    return choose(answer, {200: "newest", 400: "reject"})
