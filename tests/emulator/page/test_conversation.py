"""What a conversation looks like on the page."""

from talkjs_async.emulator.page._conversation import short_time


def test_a_time_beyond_all_calendars_is_shown_as_such() -> None:
    assert short_time(0, date=True) == "1970-01-01 00:00:00"
    assert short_time(10**18) == "long ago or far away"
