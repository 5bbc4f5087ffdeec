from __future__ import annotations

import pytest

from talkjs_async import ConfigurationError
from talkjs_async.models._given_times import as_moment


@pytest.mark.parametrize(
    "value", ["yesterday", "2020-01-01", "2020-01-01T00:00:00", True, None, 1e99]
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="sent_at"):
        as_moment(value)
