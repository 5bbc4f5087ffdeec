"""HTML that no value can break."""

from talkjs_async.emulator.page._html import Html, fill, join

HOSTILE = "\"'><script>alert(1)</script>&amp;{braces}"


def test_fill_escapes_everything_but_html() -> None:
    filled = fill("<a href='{url}'>{inside}</a>{{}}", url=HOSTILE, inside=Html("<b>"))

    assert "<script>" not in filled
    assert filled.endswith("><b></a>{}")
    assert join([filled, filled]) == filled + filled
    assert fill("{number:.1f} {number:>5}", number=2) == "2.0     2"
