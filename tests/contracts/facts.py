"""
Facts about TalkJS that are neither an endpoint nor a switch, declared at the test that proves them.

`@fact("name", "What TalkJS does.", mark, source)` on a contract test is a line of the ledger; a
run against TalkJS writes into it whether the test has passed there. What no such run can look at
is declared below, with the tests of SDK and emulator that hold them to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import attrs
import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


@attrs.frozen
class Fact:
    """
    One fact.

    Attributes:
        name: Its name in the ledger.
        behaviour: What TalkJS does, a sentence.
        mark: How it is known: live (seen by others), documented, code, third party, inferred.
        source: Where it is known from.
    """

    name: str
    behaviour: str
    mark: Literal["live", "documented", "code", "third party", "inferred"]
    source: str


FACTS: dict[str, Fact] = {}
"""Those of all modules that were imported."""


def fact(
    name: str,
    behaviour: str,
    mark: Literal["live", "documented", "code", "third party", "inferred"],
    source: str,
) -> Callable[[Test], Test]:
    """Declare the fact that a test proves. What is not documented may be wrong of TalkJS."""
    declared = Fact(name, behaviour, mark, source)
    assert FACTS.setdefault(name, declared) == declared, f"two facts are called {name}"

    def marked(test: Test) -> Test:
        if mark != "documented":
            test = pytest.mark.usefixtures("inferred")(test)
        proof: Test = pytest.mark.fact(name)(test)
        return proof

    return marked


ELSEWHERE: dict[str, tuple[str, ...]] = {}
"""Of the facts that no contract test can prove: the files of the tests that take them for true."""


def _elsewhere(
    name: str,
    behaviour: str,
    mark: Literal["live", "documented", "code", "third party", "inferred"],
    source: str,
    *tests: str,
) -> None:
    FACTS[name] = Fact(name, behaviour, mark, source)
    ELSEWHERE[name] = tests


_elsewhere(
    "rate_limit",
    "An app has a burst of 600 requests and 9 per second; then the answer is a 429.",
    "documented",
    "Introduction",
    "tests/emulator/test_limits.py",
    "tests/limits/test_server.py",
)
_elsewhere(
    "batch_rate_limit",
    "An app has a burst of 500 batches and 1 per second, up to 10 operations each.",
    "documented",
    "Batch",
    "tests/emulator/test_limits.py",
    "tests/batch/test_batch.py",
)
_elsewhere(
    "idempotency_for_a_day",
    "An idempotencyKey counts for 24 hours.",
    "third party",
    "A description of the API of 2026",
    "tests/emulator/test_clock.py",
    "tests/emulator/test_other_clocks.py",
)
_elsewhere(
    "app_custom_by_language",
    "The app's custom may hold objects by language instead of texts.",
    "third party",
    "A description of the API, 2026-06-29",
    "tests/models/test_other_nouns.py",
    "tests/resources/test_app.py",
    "tests/emulator/routes/test_app.py",
)
_elsewhere(
    "webhook_signature",
    "A webhook is signed with upper case hex HMAC-SHA256 over its timestamp, a full stop, and its "
    "body.",
    "documented",
    "Webhooks",
    "tests/emulator/test_webhooks.py",
    "tests/test_webhooks.py",
)
_elsewhere(
    "webhook_second_try",
    "A receiver has 5 seconds; another answer than 200, or none, brings the webhook once more.",
    "documented",
    "Webhooks",
    "tests/emulator/test_webhooks.py",
)
_elsewhere(
    "anonymous_pace",
    "An IP address gets one anonymous project in 30 seconds.",
    "documented",
    "TalkJS skills",
    "tests/emulator/routes/test_anonymous.py",
    "tests/test_anonymous.py",
)
_elsewhere(
    "unread_pages",
    "The documentation has pages Rate Limits, Troubleshooting and Import Messages under "
    "/docs/REST_API; what they say could not be read, and nothing here stands on them.",
    "documented",
    "addresses of the documentation's pages, 2026-11-26",
    "tests/contracts/test_newer_facts.py",
)
_elsewhere(
    "anonymous_key",
    "An anonymous project comes with a secret key, without an account.",
    "documented",
    "TalkJS skills",
    "tests/emulator/routes/test_anonymous.py",
    "tests/contracts/test_foreign_clients.py",
    "tests/contracts/test_live.py",
    "tests/test_anonymous.py",
)
