"""`... trigger EVENT --set message.text=Hi`: have a running emulator send an event."""

import argparse
import json
import sys
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from talkjs_async.emulator._options import parse
from talkjs_async.emulator._paths import CONTROL


def trigger(arguments: Sequence[str], prog: str) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog=f"{prog} trigger",
        allow_abbrev=False,
        description="Have a running emulator send an event.",
    )
    parser.add_argument("event", help="its type, such as message.sent")
    parser.add_argument("--at", required=True, metavar="URL", help="where the emulator is")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change its data, an example's, such as message.text=Hi; JSON, or else text",
    )
    options = parse(parser, arguments)
    if urlsplit(options.at).scheme not in ("http", "https"):
        parser.error(f"--at takes an http:// or https:// URL, not {options.at!r}")
    changes = dict(_read(parser, one) for one in options.set)
    request = Request(  # noqa: S310  # http or https, see above
        f"{options.at.rstrip('/')}{CONTROL}events",
        data=json.dumps({"type": options.event, "set": changes}).encode(),
        headers={"Content-Type": "application/json", "X-Emulator": "1"},
        method="POST",
    )
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            said = json.load(answer)
    except HTTPError as error:
        reasons = json.load(error).get("reasons", [error.reason])
        return _fail(parser, "; ".join(map(str, reasons)))
    except (OSError, HTTPException, ValueError) as error:
        return _fail(parser, f"no emulator answers at {options.at}: {error}")
    sys.stdout.write(f"{json.dumps(said)}\n")
    return 0


def _read(parser: argparse.ArgumentParser, setting: str) -> tuple[str, Any]:
    path, equals, value = setting.partition("=")
    if not equals:
        parser.error(f"--set takes PATH=VALUE, not {setting!r}")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _fail(parser: argparse.ArgumentParser, reason: str) -> int:
    sys.stderr.write(f"{parser.prog}: {reason}\n")
    return 1
