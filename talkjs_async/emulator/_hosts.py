"""By which names an emulator may be asked."""

from collections.abc import Collection

from talkjs_async.emulator._problems import Problem
from talkjs_async.emulator._responses import Response, problem_response

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def refused_host(host: bytes, hosts: Collection[str] | None, *, ours: bool) -> Response | None:
    """
    Return the refusal of a request that asks by another name, None if it may ask.

    Otherwise any website could read everything through a DNS name of its own that it points to this
    machine.

    Args:
        host: The header.
        hosts: The names, besides those of this machine. None: none, and the API by any name.
        ours: Whether it is page or control API that is asked, not TalkJS's API.
    """
    name = host.decode("latin-1").lower()
    bare = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
    if bare in LOOPBACK or bare in (hosts or ()) or (hosts is None and not ours):
        return None
    reason = f"This emulator does not answer for the host {bare!r}; see the option --allow-host."
    return problem_response(Problem(403, "REFUSED_BY_EMULATOR", [reason]))
