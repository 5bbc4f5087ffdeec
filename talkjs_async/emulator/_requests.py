"""
What goes into the emulator, without any I/O.

The in-process transport and the TCP application both turn what they receive into a `Request`, and
deliver a `Response`. In between nothing awaits, so every request is atomic.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import attrs

from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator.switches import Switches


@attrs.define(eq=False)
class Request:
    """
    One request as it came over the wire.

    Attributes:
        path: Still percent-encoded.
        headers: Names in lower case.
        origin: Scheme and host as the client sees them.
        client: The client's address.
        sender_time: Unix time in seconds by the sender's clock. None: the sender shares the
            emulator's clock, as in process.
    """

    method: str
    path: str
    query: str = ""
    # Not in the repr: there is a token in it.
    headers: Mapping[bytes, bytes] = attrs.field(factory=dict, repr=False)
    body: bytes = b""
    origin: str = "http://emulator"
    client: str = ""
    sender_time: Callable[[], float] | None = None


def decode(body: bytes, switches: Switches | None = None) -> Any:
    """
    Decode a JSON body, or raise the 400 for it.

    Args:
        switches: Say what becomes of halves of surrogate pairs. None: they are kept.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request([f"The body is not JSON: {error}"]) from error
    if switches is None or b"\\u" not in body:
        return value
    text = json.dumps(value, ensure_ascii=False)
    # Asked only where it matters, so that a run under other settings knows which tests it is about.
    if _LONE_SURROGATE.search(text) is None or switches.lone_surrogates == "keep":
        return value
    if switches.lone_surrogates == "reject":
        raise bad_request(["The body has text that is not valid Unicode."])
    return json.loads(_LONE_SURROGATE.sub("\ufffd", text))


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
