"""The versions of the API. Source: the documentation's "API changelog"."""

from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator.switches import Switches

API_VERSIONS = ("2021-01-01", "2021-02-09", "2021-07-30", "2024-01-01")


def version_in_force(asked: str | None, switches: Switches) -> str:
    """Return the version for a `TalkJS-REST-Version` header. Without one it is the latest."""
    if asked is None:
        return API_VERSIONS[-1]
    if asked in API_VERSIONS:
        return asked
    if switches.unknown_version == "reject":
        raise bad_request([f"There is no API version {asked!r}."])
    return API_VERSIONS[-1]
