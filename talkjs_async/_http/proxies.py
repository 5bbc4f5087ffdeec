"""
Which proxy leads to a host: the one that was given, or the one that the environment names.

`NO_PROXY` is read by us and not by httpx, which takes an entry that it cannot read for an error of
every call.
"""

from __future__ import annotations

import ipaddress


def proxy_for(scheme: str, host: str, port: int) -> str | None:
    """Look up the proxy of the environment, or of the system, for one host."""
    from urllib.request import getproxies  # noqa: PLC0415 - slow to import, and httpx just did

    named = getproxies()
    url = named.get(scheme) or named.get("all")
    if not url or is_exempt(host, port, named.get("no", "")):
        return None
    return url if "://" in url else f"http://{url}"


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """
    Tell whether *host* is to be called directly.

    Args:
        host: A name, or an address without brackets.
        port: Matched where an entry has one.
        no_proxy: Names (with or without a leading dot, for the host and all below it), addresses,
            networks as `10.0.0.0/8`, and `*`, with commas or blanks between them. What is none of
            them matches nothing.
    """
    host = host.lower().rstrip(".")
    entries = no_proxy.lower().replace(",", " ").split()
    return any(_matches(entry, host, port) for entry in entries)


def _matches(entry: str, host: str, port: int) -> bool:
    entry = entry.rpartition("://")[2]
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdecimal():
        if int(digits) != port:
            return False
        entry = name
    entry = entry.strip("[]").lstrip("*").lstrip(".").rstrip(".")
    return entry != "" and (host == entry or host.endswith(f".{entry}"))
