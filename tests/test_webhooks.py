"""A webhook is genuine, fresh and readable, or it is one error."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import tracemalloc
import wsgiref.headers
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async._core.clock import SystemClock
from talkjs_async.errors import ConfigurationError, WebhookError
from talkjs_async.models.events import MessageSent, UnknownEvent
from talkjs_async.webhooks import RecentEvents, Webhooks
from tests import forge
from tests.models.samples import JSON

NOW = 1_750_000_000.0
KEY = "sk_test_key"
BODY = json.dumps({"id": "evt_1", "type": "app.new", "createdAt": 5, "data": {"a": 1}}).encode()
EVENT = UnknownEvent(id="evt_1", type="app.new", created_at_ms=5, data={"a": 1})


class FixedClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def clock() -> FixedClock:
    """The clock of the webhooks."""
    return FixedClock()


@pytest.fixture
def webhooks(clock: FixedClock) -> Webhooks:
    """A receiver at a known moment."""
    return Webhooks(KEY, clock=clock)


def test_a_genuine_webhook_is_an_event(webhooks: Webhooks) -> None:
    event = webhooks.verify(BODY, webhooks.sign(BODY))

    assert EVENT == event


def test_a_genuine_webhook_of_a_known_type_is_typed(webhooks: Webhooks) -> None:
    message = {"id": "m", "conversationId": "c", "type": "SystemMessage", "createdAt": 5}
    body = json.dumps({"id": "e", "type": "message.sent", "data": {"message": message}}).encode()

    event = webhooks.verify(body, webhooks.sign(body))

    assert isinstance(event, MessageSent)
    assert ("m", None, None) == (event.message.id, event.sender, event.created_at)


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: {name.lower(): value for name, value in headers.items()},
        lambda headers: {name.upper(): value.lower() for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
        lambda headers: {name.encode(): value for name, value in headers.items()},
        lambda headers: {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()},
        lambda headers: {name: f" {value}\t" for name, value in headers.items()},
        lambda headers: iter([*headers.items(), ("X-Other", "1"), (b"\xff", b"\xff"), (1, 2)]),
        httpx.Headers,
        lambda headers: wsgiref.headers.Headers(list(headers.items())),
        lambda headers: {name: [value] for name, value in headers.items()},
        lambda headers: {name: (value,) for name, value in headers.items()} | {"Other": []},
        lambda headers: [[name.encode(), bytearray(v.encode())] for name, v in headers.items()],
        lambda headers: [
            (memoryview(k.encode()), memoryview(v.encode())) for k, v in headers.items()
        ],
        lambda headers: [(name, value, True) for name, value in headers.items()],
    ],
    ids=[
        "lower",
        "upper",
        "pairs",
        "bytes",
        "mixed",
        "wsgi",
        "spaces",
        "others",
        "httpx",
        "wsgiref",
        "lists of values",
        "tuples of values",
        "bytearrays",
        "memoryviews",
        "three in a pair",
    ],
)
def test_headers_may_come_in_any_form(webhooks: Webhooks, change: Callable[[Any], Any]) -> None:
    headers = change(webhooks.sign(BODY))

    assert EVENT == webhooks.verify(BODY, headers)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_body_may_be_any_kind_of_bytes(
    webhooks: Webhooks, kind: Callable[[bytes], Any]
) -> None:
    assert EVENT == webhooks.verify(kind(BODY), webhooks.sign(BODY))


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_timestamp_within_the_tolerance_is_fresh_in_either_unit(
    webhooks: Webhooks, unit: int, age: int
) -> None:
    headers = webhooks.sign(BODY, timestamp=(int(NOW) - age) * unit)

    assert EVENT == webhooks.verify(BODY, headers)


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("age", [-301, 301, 10**9, -(10**9)])
def test_a_timestamp_beyond_the_tolerance_is_refused(
    webhooks: Webhooks, unit: int, age: int
) -> None:
    headers = webhooks.sign(BODY, timestamp=(int(NOW) - age) * unit)

    with pytest.raises(WebhookError, match="too far away"):
        webhooks.verify(BODY, headers)


def test_a_webhook_that_is_replayed_later_is_refused(webhooks: Webhooks, clock: FixedClock) -> None:
    headers = webhooks.sign(BODY)

    clock.now += 301

    with pytest.raises(WebhookError):
        webhooks.verify(BODY, headers)


@pytest.mark.parametrize(
    "timestamp", ["", "now", "-1", "+1750000000", "1750000000.0", "1_750_000_000", "0x1", "9" * 17]
)
def test_a_timestamp_that_is_no_plain_number_is_refused(webhooks: Webhooks, timestamp: str) -> None:
    headers = webhooks.sign(BODY, timestamp=timestamp)  # type: ignore[arg-type]

    with pytest.raises(WebhookError):
        webhooks.verify(BODY, headers)


def test_during_a_rotation_both_keys_are_good(clock: FixedClock) -> None:
    new, old, other = (Webhooks(key, clock=clock) for key in ("new", "old", "other"))
    both = Webhooks(["new", "old"], clock=clock)

    assert EVENT == both.verify(BODY, new.sign(BODY))
    assert EVENT == both.verify(BODY, old.sign(BODY))
    assert new.sign(BODY) == both.sign(BODY)
    with pytest.raises(WebhookError):
        both.verify(BODY, other.sign(BODY))


def without(name: str) -> Callable[[dict[str, str]], Any]:
    """All headers but one."""
    return lambda headers: {key: value for key, value in headers.items() if key != name}


SIGNATURE, TIMESTAMP = "X-TalkJS-Signature", "X-TalkJS-Timestamp"


WRONG_HEADERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "none": lambda headers: {},
    "no pairs": lambda headers: [],
    "no signature": without(SIGNATURE),
    "no timestamp": without(TIMESTAMP),
    "empty signature": lambda headers: headers | {SIGNATURE: ""},
    "short signature": lambda headers: headers | {SIGNATURE: headers[SIGNATURE][:-1]},
    "long signature": lambda headers: headers | {SIGNATURE: headers[SIGNATURE] + "0"},
    "letter beyond ASCII": lambda headers: headers | {SIGNATURE: "ß" + headers[SIGNATURE][1:]},
    "bytes beyond ASCII": lambda headers: headers | {SIGNATURE: b"\xff" * 64},
    "null": lambda headers: headers | {SIGNATURE: None},
    "number": lambda headers: headers | {TIMESTAMP: 1_750_000_000},
    "other timestamp": lambda headers: headers | {TIMESTAMP: "1750000001000"},
    "arabic digits": lambda headers: headers | {TIMESTAMP: "١٧٥٠٠٠٠٠٠٠٠٠٠"},
    "double": lambda headers: [*headers.items(), (SIGNATURE, headers[SIGNATURE])],
    "double in two cases": lambda headers: headers | {SIGNATURE.lower(): headers[SIGNATURE]},
    "double as in WSGI": lambda headers: headers | {"HTTP_X_TALKJS_TIMESTAMP": headers[TIMESTAMP]},
    "a list of two": lambda headers: headers | {SIGNATURE: [headers[SIGNATURE]] * 2},
    "a list of none": lambda headers: headers | {SIGNATURE: []},
    "a list in a list": lambda headers: headers | {SIGNATURE: [[headers[SIGNATURE]]]},
    "a pair of one": lambda headers: [*headers.items(), ("X-Other",)],
    "no pair": lambda headers: [*headers.items(), 7],
    "texts for pairs": lambda headers: [f"{k}: {v}" for k, v in headers.items()],
    "sets for pairs": lambda headers: [{k, v} for k, v in headers.items()],
    "double in httpx": lambda headers: httpx.Headers([*headers.items(), *headers.items()]),
}


@pytest.mark.parametrize("change", WRONG_HEADERS.values(), ids=WRONG_HEADERS.keys())
def test_headers_that_are_missing_wrong_or_double_are_refused(
    webhooks: Webhooks, change: Callable[[dict[str, str]], Any]
) -> None:
    headers = change(webhooks.sign(BODY))

    with pytest.raises(WebhookError):
        webhooks.verify(BODY, headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"id": "e"}',
        b'{"type": "t"}',
        b'{"id": 1, "type": "t"}',
        b'{"id": "e", "type": "t", "data": 3}',
        b'{"id": "e", "type": "t", "data": {"n": NaN}}',
        b'{"id": "e", "type": "t", "data": {"n": -Infinity}}',
        b'{"id": "e", "type": "t", "data": {"n": 1e999}}',
        b'{"id": "e", "type": "t", "data": {"n": ' + b"9" * 5000 + b"}}",
        b'{"id": "e\\udfff", "type": "t"}',
        b'{"id": "e", "type": "t", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id": "e", "type": "t"} {}',
        b'\xff{"id": "e", "type": "t"}',
        b'\xef\xbb\xbf{"id": "e", "type": "t"}',
        '{"id": "e", "type": "t"}'.encode("utf-16"),
        b'{"id": "e", "type": "\xed\xa0\x80"}',
    ],
    ids=range(22),
)
def test_a_genuine_body_that_is_no_event_is_refused(webhooks: Webhooks, body: bytes) -> None:
    with pytest.raises(WebhookError, match="not the JSON of an event") as caught:
        webhooks.verify(body, webhooks.sign(body))

    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_pair_of_escaped_surrogates_is_an_emoji(webhooks: Webhooks) -> None:
    body = b'{"id": "e", "type": "t", "data": {"text": "\\ud83d\\ude00"}}'

    event = webhooks.verify(body, webhooks.sign(body))

    assert {"text": "😀"} == event.data


def test_half_of_a_surrogate_pair_in_a_text_loses_no_event(webhooks: Webhooks) -> None:
    message: dict[str, Any] = {"id": "m", "conversationId": "c", "type": "UserMessage"}
    message |= {"senderId": "ann", "createdAt": 5, "text": "cut \ud83d"}
    body = json.dumps({"id": "e", "type": "message.sent", "data": {"message": message}}).encode()

    event = webhooks.verify(body, webhooks.sign(body))

    assert isinstance(event, MessageSent)
    assert "cut \ud83d" == event.message.text


def test_a_body_of_ten_megabytes_is_refused_before_it_is_looked_at(webhooks: Webhooks) -> None:
    body = b" " * 10_000_000

    with pytest.raises(WebhookError, match="larger"):
        webhooks.verify(body, {})


def test_an_oversized_body_is_refused_before_it_is_copied(webhooks: Webhooks) -> None:
    # Fewer items than bytes are allowed, and far more bytes.
    body = memoryview(bytearray(24_000_000)).cast("Q")
    tracemalloc.start()

    with pytest.raises(WebhookError, match="larger"):
        webhooks.verify(body, {})

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_largest_body_can_be_chosen(clock: FixedClock) -> None:
    exact = Webhooks(KEY, clock=clock, largest_body=len(BODY))
    short = Webhooks(KEY, clock=clock, largest_body=len(BODY) - 1)

    assert EVENT == exact.verify(BODY, exact.sign(BODY))
    with pytest.raises(WebhookError):
        short.verify(BODY, short.sign(BODY))


@pytest.mark.parametrize("body", [BODY.decode(), json.loads(BODY), None])
def test_a_body_that_somebody_has_parsed_is_a_mistake_in_the_code(
    webhooks: Webhooks, body: Any
) -> None:
    with pytest.raises(ConfigurationError, match="body: must be the bytes"):
        webhooks.verify(body, webhooks.sign(BODY))


@pytest.mark.parametrize("headers", [None, 3, "Name: x", b"x"])
def test_headers_that_are_none_are_a_mistake_in_the_code(webhooks: Webhooks, headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers"):
        webhooks.verify(BODY, headers)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("secret_key", {"secret_key": ""}),
        ("secret_key", {"secret_key": []}),
        ("secret_key", {"secret_key": ["good", ""]}),
        ("secret_key", {"secret_key": None}),
        ("secret_key", {"secret_key": b"bytes"}),
        ("secret_key", {"secret_key": 3}),
        ("secret_key", {"secret_key": {"a", "set"}}),
        ("secret_key", {"secret_key": "\ud800"}),
        ("tolerance", {"secret_key": KEY, "tolerance": -1}),
        ("tolerance", {"secret_key": KEY, "tolerance": float("nan")}),
        ("tolerance", {"secret_key": KEY, "tolerance": float("inf")}),
        ("largest_body", {"secret_key": KEY, "largest_body": 0}),
        ("clock", {"secret_key": KEY, "clock": 1_700_000_000}),
        ("clock", {"secret_key": KEY, "clock": SystemClock}),
    ],
)
def test_a_wrong_setting_is_named(argument: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Webhooks(**arguments)

    assert argument == caught.value.argument


def test_the_key_shows_nowhere(webhooks: Webhooks) -> None:
    assert KEY not in repr(webhooks)
    assert KEY not in repr(vars(webhooks))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(webhooks)
    with pytest.raises(WebhookError) as caught:
        webhooks.verify(BODY, {})
    assert KEY not in str(caught.value)
    assert caught.value.args == pickle.loads(pickle.dumps(caught.value)).args


def test_a_repeated_event_is_noticed(webhooks: Webhooks) -> None:
    assert not webhooks.is_repeat(EVENT)
    assert webhooks.is_repeat(EVENT)


def test_events_are_remembered_where_the_caller_wants(clock: FixedClock) -> None:
    seen = RecentEvents()
    one, other = (Webhooks(KEY, clock=clock, seen=seen) for _ in range(2))

    one.is_repeat(EVENT)

    assert other.is_repeat(EVENT)


def test_only_the_latest_events_are_remembered() -> None:
    seen = RecentEvents(size=2)

    news = [seen.add(event_id) for event_id in ("a", "b", "a", "c", "b", "a")]

    assert [True, True, False, True, False, True] == news
    assert 2 == len(seen)


class Waits:
    async def add(self, event_id: str, /) -> bool:
        return True


@pytest.mark.parametrize("seen", [set(), {"evt_1"}, Waits(), [], {}, "evt_1", 5])
def test_a_memory_that_cannot_tell_what_is_new_is_refused(seen: Any) -> None:
    with pytest.raises(ConfigurationError, match="seen: must have a"):
        Webhooks(KEY, seen=seen)


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_memory_of_no_size_is_refused(size: Any) -> None:
    with pytest.raises(ConfigurationError, match="size"):
        RecentEvents(size)


MISSING = "secret_key: is missing: pass it or set TALKJS_SECRET_KEY (TalkJS dashboard, Settings)."
NO_KEYS = "secret_key: must be a non-empty text, or a list of such."
EMPTY_KEY = "secret_key: must hold no empty key."
NO_TEXT = "secret_key: must be text (str), not int."
ORDER = (
    "body: comes first: verify(body, headers); it must be the bytes of the request, before "
    "anything has parsed them."
)
TOLERANCE = "tolerance: must be a finite number of seconds, 0 or more."
SET = (
    "seen: must have a method add(event_id) that tells whether the event is new, which that of a "
    "set does not; RecentEvents() has one."
)
NO_MEMORY = (
    "seen: must have a method add(event_id) that tells whether the event is new; RecentEvents() "
    "has one."
)
LARGEST = "largest_body: must be a number of bytes, 1 or more."


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Webhooks, MISSING),
        (lambda: Webhooks(""), MISSING),
        (lambda: Webhooks([]), NO_KEYS),
        (lambda: Webhooks([KEY, ""]), EMPTY_KEY),
        (lambda: Webhooks([KEY, 3]), NO_TEXT),  # type: ignore[list-item]
        (lambda: Webhooks(KEY).verify({}, b""), ORDER),  # type: ignore[arg-type]
        (lambda: Webhooks(KEY, tolerance=-1), TOLERANCE),
        (lambda: Webhooks(KEY, largest_body=0), LARGEST),
        (lambda: Webhooks(KEY, seen=set()), SET),  # type: ignore[arg-type]
        (lambda: Webhooks(KEY, seen={}), NO_MEMORY),  # type: ignore[arg-type]
        (lambda: RecentEvents(0), "size: must be a whole number, 1 or more."),
        (
            lambda: Webhooks(KEY).verify("text", {}),  # type: ignore[arg-type]
            "body: must be the bytes of the request, before anything has parsed them.",
        ),
        (
            lambda: Webhooks(KEY).verify(b"", 3),  # type: ignore[arg-type]
            "headers: must be a mapping or pairs.",
        ),
    ],
)
def test_a_mistake_in_the_code_is_one_sentence(
    make: Callable[[], Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALKJS_SECRET_KEY", raising=False)

    with pytest.raises(ConfigurationError) as caught:
        make()

    assert sentence == str(caught.value)


def test_a_key_comes_from_the_environment_when_none_is_given(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKJS_SECRET_KEY", f"{KEY}\n")

    signed = Webhooks(KEY, clock=clock).sign(BODY)

    assert EVENT == Webhooks(clock=clock).verify(BODY, signed)
    with pytest.raises(ConfigurationError, match="must hold no empty key"):
        Webhooks(["other", ""])


def test_no_frame_of_a_refusal_holds_a_key() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Webhooks([KEY, "wh_secret inside"])

    frames = [entry for entry in caught.traceback if "talkjs_async" in str(entry.path)]
    held = [repr(entry.frame.f_locals) for entry in frames]
    assert not [text for text in held if KEY in text or "wh_secret" in text]


def test_the_least_that_is_allowed_is_allowed(clock: FixedClock) -> None:
    exact = Webhooks(KEY, tolerance=0, clock=clock)
    loose = Webhooks(KEY, tolerance=0.5, largest_body=1, clock=clock)
    seen = RecentEvents(1)

    assert EVENT == exact.verify(BODY, exact.sign(BODY))
    with pytest.raises(WebhookError, match="not the JSON of an event"):
        loose.verify(b"0", loose.sign(b"0"))
    assert [True, False] == [seen.add("a"), seen.add("a")]


ONE_OF_EACH = "There must be one signature and one timestamp."
NO_NUMBER = "The timestamp is not a number."
TOO_FAR = "The timestamp is too far away: a replay, or a clock that is wrong."
NO_MATCH = "The signature does not match: a wrong key, or changed bytes."
NOT_ASCII = "The signature and the timestamp must be ASCII."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: ({}, BODY), ONE_OF_EACH),
        (lambda w: ({**w.sign(BODY), SIGNATURE: "\N{DEGREE SIGN}"}, BODY), NOT_ASCII),
        (lambda w: ({**w.sign(BODY), SIGNATURE: None}, BODY), NOT_ASCII),
        (lambda w: ([7], BODY), "The headers are not pairs of name and value."),
        (lambda w: (w.sign(BODY), b"{}"), NO_MATCH),
        (lambda w: ({k: f"{v}\n" for k, v in w.sign(BODY).items()}, BODY), NO_MATCH),
        (lambda w: ({**w.sign(BODY), SIGNATURE: f"X{w.sign(BODY)[SIGNATURE]}"}, BODY), NO_MATCH),
        (lambda w: (w.sign(BODY, timestamp=10**15), BODY), TOO_FAR),
        (lambda w: (w.sign(BODY, timestamp=10**16), BODY), NO_NUMBER),
        (
            lambda w: (w.sign(b" " * 5_000_000), b" " * 5_000_000),
            "The body is larger than allowed.",
        ),
        (lambda w: (w.sign(b"{}"), b"{}"), "The body is not the JSON of an event."),
        (lambda w: (w.sign(b"\xff"), b"\xff"), "The body is not the JSON of an event."),
    ],
    ids=range(12),
)
def test_every_refusal_has_a_sentence_of_its_own(
    webhooks: Webhooks, change: Callable[[Webhooks], tuple[Any, bytes]], sentence: str
) -> None:
    headers, body = change(webhooks)

    with pytest.raises(WebhookError) as caught:
        webhooks.verify(body, headers)

    assert sentence == str(caught.value)


def test_an_event_whose_id_is_no_id_has_the_same_sentence(webhooks: Webhooks) -> None:
    body = b'{"id": "half \\ud83d", "type": "t"}'

    with pytest.raises(WebhookError) as caught:
        webhooks.verify(body, webhooks.sign(body))

    assert "The body is not the JSON of an event." == str(caught.value)


def test_the_first_moment_that_counts_in_milliseconds_is_in_1973(clock: FixedClock) -> None:
    webhooks = Webhooks(KEY, clock=clock)
    clock.now = 10.0**8

    assert EVENT == webhooks.verify(BODY, webhooks.sign(BODY, timestamp=10**11))


def test_ten_thousand_events_are_remembered_by_default() -> None:
    seen = RecentEvents()

    news = [seen.add(str(number)) for number in range(10_000)]

    assert all(news)
    assert not seen.add("0")
    assert seen.add("10000")
    assert (10_000, True, False) == (len(seen), seen.add("0"), seen.add("9999"))


def test_events_are_told_apart_by_their_ids(webhooks: Webhooks) -> None:
    other = UnknownEvent(id="evt_2", type="app.new", created_at_ms=5, data={})

    assert [False, False, True] == [webhooks.is_repeat(each) for each in (EVENT, other, EVENT)]


def test_a_receiver_is_not_pickled_and_says_so(webhooks: Webhooks) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(webhooks)

    sentence = "Webhooks holds secret keys and is not pickled: build it anew."
    assert sentence == str(caught.value)
    assert "Webhooks(<1 hidden>, tolerance=300.0)" == repr(webhooks)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([SIGNATURE, TIMESTAMP.lower(), b"x-talkjs-signature", "Other"])
        | st.text()
        | st.binary(),
        st.text() | st.binary() | st.none() | st.integers(),
    )
)


@given(HEADERS, st.binary())
def test_whatever_is_not_signed_is_one_error(headers: Any, body: bytes) -> None:
    with pytest.raises(WebhookError):
        Webhooks(KEY).verify(body, headers)


@given(st.binary() | JSON.map(lambda data: json.dumps(data).encode()))
def test_whatever_is_signed_is_an_event_or_one_error(body: bytes) -> None:
    webhooks = Webhooks(KEY)

    assert forge.accepts(webhooks, webhooks.sign(body), body) in {True, False}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
@pytest.mark.parametrize("body", [b"", BODY, bytes(range(256)) * 40])
def test_the_signature_is_what_openssl_computes(webhooks: Webhooks, body: bytes) -> None:
    openssl = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", KEY],
        input=b"1750000000000." + body,
        capture_output=True,
        check=True,
    )

    signature = webhooks.sign(body)[SIGNATURE]

    assert openssl.stdout.decode().rpartition("= ")[2].strip().upper() == signature


def test_every_flipped_bit_cut_and_replay_is_refused() -> None:
    forgeries = forge.run(limit=20_000)

    assert 20_000 == forgeries.tried
    assert [] == forgeries.accepted


def test_a_genuine_corpus_is_accepted() -> None:
    assert [] == forge.refused_genuine(1000)


def test_only_bytes_are_signed() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Webhooks("sk_test_webhooks").sign("{}")  # type: ignore[arg-type]

    assert "body: must be bytes, as they are sent, not str." == str(caught.value)
