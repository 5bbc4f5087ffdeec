"""
Which server: the base URL, checked and written in one way.

One way, because clients of the same server share one budget, however they spell its address.
"""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit

from talkjs_async.errors import ConfigurationError, shown

DEFAULT_BASE_URL: Final = "https://api.talkjs.com"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MOST_IN_A_HOST: Final = 253
"""RFC 1035, section 2.3.4: 255 bytes, of which two are not text."""
_AUTHORITY: Final = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?")
_ZONE: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""RFC 6874, section 2: of an IPv6 address that is valid on one network interface only."""
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes a host an IPv4 address, if it is any host (URL Standard)."""
_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*")
"""RFC 3986, section 3.3."""


def base_url_of(base_url: object) -> str:
    """Return the base URL: the given one, that of the environment, or TalkJS's own."""
    if base_url is None:
        base_url = os.environ.get("TALKJS_BASE_URL") or DEFAULT_BASE_URL
    return checked_url(base_url)


def checked_url(url: object) -> str:
    """
    Return *url* in its one spelling: small letters, no default port, no slash or dot at the end.

    Raises:
        ConfigurationError: It is no base URL.
    """
    if not isinstance(url, str):
        _refuse(f"must be text (str) such as {DEFAULT_BASE_URL!r}, not {type(url).__name__}.")
    text = url.strip().strip("\ufeff").strip()
    # Before anything is quoted: it may hold a password.
    if "@" in text:
        _refuse("must not hold a user name or a password.")
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        _refuse("must not hold blanks, line breaks or backslashes.")
    for sign, name in (("?", "query"), ("#", "fragment")):
        if sign in text:
            _refuse(f"must have no {name}: end it before the {sign!r}.")
    if "://" not in text:
        host = re.sub(r"^(?:https?:)?/*", "", text)
        meant = f"https://{host}" if host else DEFAULT_BASE_URL
        _refuse(f"must begin with 'https://': did you mean {shown(meant)}?")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        _refuse(f"is no URL ({error}): it must look like {DEFAULT_BASE_URL!r}.")
    if parts.scheme not in _DEFAULT_PORTS:
        _refuse(f"must begin with 'https://' or 'http://', not {shown(parts.scheme)}.")
    if not _AUTHORITY.fullmatch(parts.netloc):
        _refuse("must hold a host and perhaps a port, as in 'https://host:8443'.")
    if port == 0 or parts.netloc.endswith(":"):
        _refuse("must have a port from 1 to 65535, or none.")
    if path_problem(parts.path) is not None:
        _refuse(f"must have a percent-encoded path without dots, or none, not {shown(parts.path)}.")
    host = parts.hostname or ""
    host = _checked_address(host) if parts.netloc.startswith("[") else _checked_host(host)
    end = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{end}{parts.path.rstrip('/')}"


def path_problem(path: str) -> str | None:
    """Say what keeps *path* from being one of a URL, as the end of a sentence. None: nothing."""
    if not _PATH.fullmatch(path):
        return (
            "must begin with '/' and be percent-encoded (urllib.parse.quote), "
            f"unlike {shown(path)}."
        )
    # Also where dots and slashes are encoded: servers differ in when they decode.
    segments = re.split(r"[/\\]", unquote(path))
    if {".", ".."} & {segment.partition(";")[0] for segment in segments}:
        return f"must have no segments '.' and '..', which lead elsewhere, unlike {shown(path)}."
    return None


def _checked_address(text: str) -> str:
    address, percent, zone = text.partition("%")
    # RFC 6874 wants the sign encoded; the HTTP libraries want it as it is, and so do people.
    zone = re.sub("^25(?=.)", "", zone)
    try:
        address = str(IPv6Address(address))
    except ValueError:
        _refuse(f"must hold a valid IPv6 address within the brackets, not {shown(text)}.")
    if percent and not _ZONE.fullmatch(zone):
        _refuse(f"must name a network interface behind the '%' of its address, not {shown(zone)}.")
    return f"[{address}{percent}{zone}]"


def _checked_host(host: str) -> str:
    host = host.lower()
    if not host.isascii() or "xn--" in host:
        host = _in_ascii(host)
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > _MOST_IN_A_HOST or not all(map(_LABEL.fullmatch, labels)):
        _refuse(
            "must name a host whose labels are of 1 to 63 letters, digits and dashes, "
            f"not {shown(host)}."
        )
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            _refuse(f"must hold a valid IPv4 address, four numbers up to 255, not {shown(host)}.")
    return host


def _in_ascii(host: str) -> str:
    import idna  # noqa: PLC0415 - httpx and httpx2 bring it; few hosts need it

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        _refuse(f"must name a host that the domain name system can hold ({error}).")


def _refuse(rule: str) -> NoReturn:
    raise ConfigurationError("base_url", rule) from None
