"""
Write `docs/reference/settings.md` from the client's options: `python docs/settings.py`.

A test compares the page with what this program would write, so it can only be changed by changing
the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from talkjs_async import AsyncTalkJS, RetryPolicy, Webhooks

PAGE = Path(__file__).with_name("reference") / "settings.md"

TITLE: Final = """\
# All settings

Written by `python docs/settings.py` from the code; a test compares it with that.

## Environment variables

| variable | what it is |
|---|---|
| `TALKJS_APP_ID` | *app_id*, where none is given |
| `TALKJS_SECRET_KEY` | *secret_key* of the client and of `Webhooks`, where none is given |
| `TALKJS_BASE_URL` | *base_url*, where none is given: the emulator's, say |
| `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxies, where no *proxy* is given |
| `TALKJS_TARGET_APP_ID`, `TALKJS_TARGET_SECRET_KEY` | the other app of `talkjs-async transfer` |
| `TALKJS_TARGET_BASE_URL` | where it is |
| `TALKJS_EMULATOR_SWITCHES` | [switches](switches.md) of emulators that are not told otherwise |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | whom to trust, where no *ssl_context* is given |

Blanks and line breaks around a credential are dropped. An option that is given goes before the
environment.
"""

SECTIONS: Final[list[tuple[str, str, Callable[..., Any], str]]] = [
    (
        "AsyncTalkJS",
        "Those with a * can be changed by `with_options`, for a part of a program or one call.",
        AsyncTalkJS,
        "Args:",
    ),
    ("RetryPolicy", "The value of *retry*.", RetryPolicy, "Attributes:"),
    ("Webhooks", "What verifies webhooks.", Webhooks, "Args:"),
]


def page() -> str:
    """Return the page."""
    return TITLE + "".join(_section(*section) for section in SECTIONS)


def _section(name: str, words: str, kind: Callable[..., Any], heading: str) -> str:
    told = _told(inspect.getdoc(kind) or "", heading)
    signature = inspect.signature(AsyncTalkJS.with_options)
    changeable = signature.parameters if kind is AsyncTalkJS else {}
    rows = ""
    for parameter in inspect.signature(kind).parameters.values():
        mark = "*" if parameter.name in changeable else ""
        default = _default(parameter.default)
        rows += f"| `{parameter.name}`{mark} | {default} | {told[parameter.name]} |\n"
    return f"\n## {name}\n\n{words}\n\n| option | default | what it is |\n|---|---|---|\n{rows}"


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "needed"
    shown = "SystemClock()" if type(value).__name__ == "SystemClock" else repr(value)
    return f"`{re.sub(r'[(].*=.*[)]', '()', shown)}`"


def _told(text: str, heading: str) -> dict[str, str]:
    """What a docstring says of each argument."""
    block = text.partition(f"{heading}\n")[2].partition("\n\n")[0]
    found = re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", block, re.MULTILINE)
    return {name: " ".join(words.split()) for names, words in found for name in names.split(", ")}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
