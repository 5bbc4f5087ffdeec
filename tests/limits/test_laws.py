"""Whatever the callers do, the laws hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkjs_async.limits import TokenBucket
from tests.limits.laws import ANY_PROGRAMS, HONEST_PROGRAMS, Step, check, run

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
RATES = st.sampled_from([0.5, 3.0, 9.0, 50.0])
BURSTS = st.sampled_from([1, 2, 5, 12, 40])
CAPS = st.sampled_from([None, 1, 2, 5, 20])


@BACKENDS
@given(program=ANY_PROGRAMS, rate=RATES, burst=BURSTS, cap=CAPS, part=st.floats(0, 0.9))
@settings(deadline=None, max_examples=60)
def test_any_program_keeps_the_laws(
    backend: str, program: list[Step], rate: float, burst: int, cap: int | None, part: float
) -> None:
    reserve = int(burst * part)

    history = run(
        lambda clock: TokenBucket(
            rate, burst, max_in_flight=cap, background_reserve=reserve, clock=clock
        ),
        program,
        rate=rate,
        burst=burst,
        backend=backend,
    )

    check(history, rate=rate, burst=burst)


@BACKENDS
@given(program=HONEST_PROGRAMS, rate=RATES, burst=BURSTS, cap=CAPS)
@settings(deadline=None, max_examples=60)
def test_whatever_the_network_does_the_server_never_refuses(
    backend: str, program: list[Step], rate: float, burst: int, cap: int | None
) -> None:
    history = run(
        lambda clock: TokenBucket(
            rate, burst, max_in_flight=cap, background_reserve=0, clock=clock
        ),
        program,
        rate=rate,
        burst=burst,
        backend=backend,
    )

    check(history, rate=rate, burst=burst)
    assert 0 == history.rejected
    assert history.at_rest is not None
    assert burst == history.at_rest.tokens
    assert len(history.stories) == history.at_rest.granted
