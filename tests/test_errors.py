"""The error tree: what it says, what it keeps, what it never holds."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkjs_async import errors
from talkjs_async._core.classify import classify
from talkjs_async.errors import (
    APIError,
    BadRequest,
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    Forbidden,
    LimiterUnavailable,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RateLimitWaitTimeout,
    ServerError,
    TalkJSError,
    Unauthorized,
    UnknownApp,
    UnknownEndpoint,
    WebhookError,
)

EXAMPLES = [
    ConfigurationError("limit", "must be 1 to 30."),
    RateLimitWaitTimeout(retry_after=4.0, max_wait=1.0),
    LimiterUnavailable("closed"),
    ConnectFailed("refused", method="GET", path="/users/a", attempts=3),
    OutcomeUnknown("no answer", method="POST", path="/users/a"),
    APIError(status=302, method="GET", path="/users/a"),
    BadRequest(status=400, reasons=("name",), reasons_by_key={"a": ("name",)}),
    Unauthorized(status=401),
    Forbidden(status=403),
    NotFound(status=404, code="USER_NOT_FOUND"),
    UnknownApp(status=404),
    UnknownEndpoint(status=404),
    RateLimited(status=429, retry_after=2.0),
    ServerError(status=503, attempts=5),
    DecodeError(json_path="$.id", expected="a string", got="null"),
    WebhookError("not genuine"),
]


def error_for(status: int, body: bytes = b"{}") -> APIError:
    return classify(status=status, body=body, retry_after=None, method="GET", path="/users/a")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_every_error_survives_pickling_and_copying(error: TalkJSError, copied: object) -> None:
    twin = copied(error)  # type: ignore[operator]

    assert type(error) is type(twin)
    assert vars(error) == vars(twin)
    assert str(error) == str(twin)


def test_there_is_an_example_of_every_error() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, TalkJSError)
    }

    assert kinds - {type(error) for error in EXAMPLES} == {TalkJSError, errors.TransportError}


def test_a_configuration_error_is_a_value_error_that_names_the_argument() -> None:
    error = ConfigurationError("limit", "must be a whole number from 1 to 30, not 0.")

    assert isinstance(error, ValueError)
    assert "limit: must be a whole number from 1 to 30, not 0." == str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (402, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (429, RateLimited),
        (500, ServerError),
        (599, ServerError),
        (302, APIError),
        (418, APIError),
    ],
)
def test_the_status_decides_the_class(status: int, kind: type[APIError]) -> None:
    assert kind is type(error_for(status))


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"Not found.", UnknownApp, "TalkJS knows no app with this ID."),
        (b'"Not found"', UnknownEndpoint, "TalkJS does not know this path or method."),
    ],
)
def test_a_404_that_is_about_no_record_is_no_not_found(
    body: bytes, kind: type[APIError], said: str
) -> None:
    error = error_for(404, body)

    assert kind is type(error)
    assert not isinstance(error, NotFound)
    assert f"GET /users/a: 404: {said}" == str(error)


@pytest.mark.parametrize("body", [b"Not found", b"not found.", b'"Not found."', b"", b"{}", b"[]"])
def test_any_other_404_is_about_a_record(body: bytes) -> None:
    assert NotFound is type(error_for(404, body))


def test_a_wait_that_is_too_long_advises_nothing_that_waits_longer() -> None:
    error = RateLimitWaitTimeout(retry_after=4.0, max_wait=1.0)

    assert (
        "The rate budget is 4.00 s away and the call may wait for 1.00 s: "
        "try again later, or raise max_wait or total_timeout."
    ) == str(error)


def test_code_and_reasons_are_read() -> None:
    body = json.dumps({"errorCode": "USER_NOT_FOUND", "reasons": ["no such user"]}).encode()

    error = error_for(404, body)

    assert "USER_NOT_FOUND" == error.code
    assert ("no such user",) == error.reasons
    assert "GET /users/a: 404 USER_NOT_FOUND: no such user" == str(error)


def test_reasons_that_name_fields_are_kept_by_field() -> None:
    body = json.dumps({"reasons": {"name": ["too long", "odd"], "email": "bad"}}).encode()

    error = error_for(400, body)

    assert {"name": ("too long", "odd"), "email": ("bad",)} == error.reasons_by_key
    assert ("name: too long", "name: odd", "email: bad") == error.reasons


def test_an_object_without_reasons_is_read_as_reasons() -> None:
    error = error_for(400, b'{"alice": "name is required"}')

    assert {"alice": ("name is required",)} == error.reasons_by_key


def test_the_number_of_attempts_and_the_wait_are_told() -> None:
    error = RateLimited(status=429, method="GET", path="/users", attempts=3, retry_after=1.5)

    assert "GET /users: 429 (tried 3 times) Retry after 1.5 s." == str(error)


@given(body=st.binary(max_size=200), status=st.integers(min_value=300, max_value=599))
def test_any_bytes_make_an_error_and_nothing_else(body: bytes, status: int) -> None:
    assert status == error_for(status, body).status


def test_a_deeply_nested_body_is_no_problem() -> None:
    assert () == error_for(500, b"[" * 200_000).reasons


def test_a_page_of_html_is_not_quoted() -> None:
    error = error_for(502, b"<html>" + b"x" * 10_000)

    assert "GET /users/a: 502" == str(error)


@pytest.mark.parametrize(
    ("error", "temporary", "retry_after"),
    [
        (RateLimitWaitTimeout(retry_after=4.0, max_wait=1.0), True, 4.0),
        (LimiterUnavailable("closed"), True, None),
        (RateLimited(status=429, retry_after=2.0), True, 2.0),
        (ServerError(status=503), True, None),
        (ConnectFailed("no", method="GET", path="/"), True, None),
        (OutcomeUnknown("no", method="GET", path="/"), True, None),
        (ConfigurationError("a", "b"), False, None),
        (NotFound(status=404), False, None),
        (WebhookError("no"), False, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_passes_by_itself_is_told_apart_in_one_way(
    error: TalkJSError, temporary: bool, retry_after: float | None
) -> None:
    assert (temporary, retry_after, False) == (
        error.temporary,
        error.retry_after,
        error.maybe_done,
    )
