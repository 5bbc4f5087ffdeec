"""The emulator against the simplest thing that could be called a chat: a few dictionaries."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from talkjs_async.emulator import Emulator, Limits, Switches, VirtualClock
from talkjs_async.emulator._dispatch import handle
from talkjs_async.emulator._requests import Request
from talkjs_async.emulator.admission import admit

USERS = st.sampled_from(["alice", "bob", "carol"])
CONVERSATIONS = st.sampled_from(["one", "two"])
TEXTS = st.sampled_from(["hi", "*bye*", "😀"])
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"])


class Chat(RuleBasedStateMachine):
    """Does the same to both, and compares what can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        # The model knows what the defaults do.
        self.emulator = Emulator(clock=self.clock, limits=Limits.off(), switches=Switches())
        self.users: dict[str, str] = {}
        self.members: dict[str, set[str]] = {}
        self.messages: dict[str, dict[str, str]] = {}
        self.sent: dict[tuple[str, str], str] = {}

    def call(self, method: str, path: str, body: object = None, query: str = "") -> tuple[int, Any]:
        request = Request(
            method,
            f"/v1/emulator{path}",
            query,
            {
                b"authorization": b"Bearer sk_test_emulator",
                b"content-type": b"application/json",
            },
            b"" if body is None else json.dumps(body).encode(),
        )
        answer = handle(self.emulator, admit(self.emulator, request))
        return answer.status, json.loads(answer.body)

    def every(self, path: str, limit: int) -> list[dict[str, Any]]:
        """Return all records of a list, newest first, page by page."""
        records: list[dict[str, Any]] = []
        query = f"limit={limit}"
        while page := self.call("GET", path, query=query)[1]["data"]:
            records.extend(page)
            query = f"limit={limit}&startingAfter={page[-1]['id']}"
        return records

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(user=USERS, name=TEXTS)
    def put_user(self, user: str, name: str) -> None:
        assert self.call("PUT", f"/users/{user}", {"name": name}) == (200, {})
        self.users[user] = name

    @rule(conversation=CONVERSATIONS, members=st.sets(USERS))
    def put_conversation(self, conversation: str, members: set[str]) -> None:
        body = {"participants": sorted(members)}
        status, _ = self.call("PUT", f"/conversations/{conversation}", body)
        assert status == (200 if members <= self.users.keys() else 404)
        if status == 200:
            self.members.setdefault(conversation, set()).update(members)
            self.messages.setdefault(conversation, {})

    @rule(conversation=CONVERSATIONS)
    def delete_conversation(self, conversation: str) -> None:
        status, _ = self.call("DELETE", f"/conversations/{conversation}")
        assert status == (200 if conversation in self.members else 404)
        self.members.pop(conversation, None)
        self.messages.pop(conversation, None)

    @rule(conversation=CONVERSATIONS, user=USERS)
    def leave(self, conversation: str, user: str) -> None:
        self.call("DELETE", f"/conversations/{conversation}/participants/{user}")
        self.members.get(conversation, set()).discard(user)

    @rule(conversation=CONVERSATIONS, user=USERS, texts=st.lists(TEXTS, min_size=1), key=KEYS)
    def send(self, conversation: str, user: str, texts: list[str], key: str | None) -> None:
        items = [{"type": "UserMessage", "sender": user, "text": text} for text in texts[:10]]
        if key is not None:
            items[0]["idempotencyKey"] = key
        status, answer = self.call("POST", f"/conversations/{conversation}/messages", items)
        if conversation not in self.members:
            assert status == 404
        elif user not in self.members[conversation]:
            assert status == 403
        else:
            assert status == 200
            ids = [message["id"] for message in answer]
            if key is not None and (conversation, key) in self.sent:
                assert ids.pop(0) == self.sent[conversation, key]
                texts = texts[1:]
            elif key is not None:
                self.sent[conversation, key] = ids[0]
            self.messages[conversation].update(zip(ids, texts[:10], strict=False))

    @rule(conversation=CONVERSATIONS, data=st.data())
    def delete_message(self, conversation: str, data: st.DataObject) -> None:
        known = self.messages.get(conversation)
        if known:
            message = data.draw(st.sampled_from(sorted(known)))
            path = f"/conversations/{conversation}/messages/{message}"
            assert self.call("DELETE", path) == (200, {})
            del known[message]

    @invariant()
    def users_are_the_same(self) -> None:
        listed = {user["id"]: user["name"] for user in self.every("/users", 2)}
        assert listed == self.users

    @invariant()
    def conversations_are_the_same(self) -> None:
        listed = {one["id"]: set(one["participants"]) for one in self.every("/conversations", 1)}
        assert listed == self.members
        for user in self.users:
            path = f"/users/{user}/conversations"
            theirs = {one["id"] for one in self.every(path, 1)}
            assert theirs == {one for one, members in self.members.items() if user in members}

    @invariant()
    def messages_are_the_same_and_in_order(self) -> None:
        for conversation, expected in self.messages.items():
            listed = self.every(f"/conversations/{conversation}/messages", 3)
            assert [one["id"] for one in reversed(listed)] == list(expected)
            assert {one["id"]: one["text"] for one in listed} == expected

    @invariant()
    def no_commit_was_done_twice(self) -> None:
        ids = [commit.message_id for commit in self.emulator.commits.of("message.sent")]
        assert len(ids) == len(set(ids))


Chat.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestChat = Chat.TestCase
