"""
`python -m talkjs_async.emulator`: the emulator on a port, for programs in any language.

Prints one line of JSON as soon as it can answer, and after that only a line per request, to stderr:

    {"base_url": "http://127.0.0.1:4711", "app_id": "emulator", "secret_key": "sk_test_emulator",
     "page": "http://127.0.0.1:4711/_emulator/"}
"""

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import attrs

from talkjs_async.emulator import Emulator, Exchange, Limits, RealClock, Switches
from talkjs_async.emulator._options import parse
from talkjs_async.emulator._paths import INSPECTION
from talkjs_async.emulator._trigger import trigger
from talkjs_async.emulator.ledger import LedgerLine, ledger
from talkjs_async.emulator.switches import Switch

__all__ = ["main", "parser_for"]

# Enough to look back, without growing for ever.
_LOG_LIMIT = 1_000
_INBOX_LIMIT = 100
_BODY_LIMIT = 4_000


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m talkjs_async.emulator"
) -> int:
    """
    Run the command; return its exit code.

    Args:
        arguments: None: those of the process.
        prog: What it is called here.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] == "trigger":
        return trigger(arguments[1:], prog)
    parser = parser_for(prog)
    options = parse(parser, arguments)
    if options.list_switches:
        _say(_listed(Switches.table()))
        return 0
    if options.list_behaviour:
        _say("\n".join(map(_ledger_line, ledger())))
        return 0
    try:
        emulator = Emulator(
            app_id=options.app_id,
            secret_key=options.secret_key,
            clock=RealClock(),
            limits=_limits(options),
            switches=_switches(options.switch),
            seed=options.random_seed,
            log_limit=_LOG_LIMIT,
            inbox_limit=_INBOX_LIMIT,
            body_limit=_BODY_LIMIT,
            persist=options.persist,
        )
        for fault in options.fault:
            id_, _, probability = fault.partition("@")
            emulator.faults.add(id_, p=_probability(probability))
        for url, events in options.webhook:
            emulator.webhooks.to(url, events=events)
        # What was kept has it from the first start, and must not get it again.
        for seed in () if emulator.restored else options.load:
            emulator.load(seed)
    except ValueError as error:
        parser.error(str(error))
    try:
        server = emulator.serve(
            host=options.host, port=options.port, allowed_hosts=options.allow_host
        )
    except (ModuleNotFoundError, OSError) as error:
        reason = getattr(error, "strerror", None)
        where = f"{options.host} port {options.port}: " if reason else ""
        sys.stderr.write(f"{parser.prog}: {where}{reason or error}\n")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    ready = {
        "base_url": server.base_url,
        "app_id": emulator.app_id,
        "secret_key": emulator.secret_key,
        "page": f"{server.base_url}{INSPECTION}",
    }
    if not options.quiet:
        emulator.on_answer = _log
    parent = os.getppid()
    server.run(
        on_ready=lambda: _say(json.dumps(ready)),
        # An orphan gets another parent, however the first one ended.
        while_true=(lambda: os.getppid() == parent) if options.die_with_parent else None,
    )
    emulator.close()
    return 0


def _port(text: str) -> int:
    # The system takes 70000 for 4464.
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return rate


def _burst(text: str) -> int:
    try:
        burst = int(text)
    except ValueError:
        burst = 0
    if burst < 1:
        raise argparse.ArgumentTypeError(f"must be a number of requests, 1 or more, not {text!r}")
    return burst


def _probability(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        raise ValueError(f"A fault's probability must be a number up to 1, not {text!r}.") from None


def _log(exchange: Exchange) -> None:
    fault = f" ({exchange.fault})" if exchange.fault else ""
    answer = exchange.status or "no answer"
    moment = time.strftime("%H:%M:%S", time.gmtime(exchange.at))
    # One write, so that lines of several threads do not mix.
    sys.stderr.write(f"{moment} {exchange.method} {exchange.path} {answer}{fault}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def parser_for(prog: str) -> argparse.ArgumentParser:
    """What the command takes, under a name."""
    parser = argparse.ArgumentParser(
        prog=prog,
        # Another option than meant may begin like that.
        allow_abbrev=False,
        description="A local stand-in for the TalkJS REST API. Not TalkJS.",
        epilog="To have a running one send an event: trigger EVENT --at URL --set message.text=Hi",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=0, help="0 picks a free one (default)")
    parser.add_argument("--app-id", default="emulator")
    parser.add_argument("--secret-key", default="sk_test_emulator", help="any text will do")
    parser.add_argument("--no-limits", action="store_true", help="never answer 429")
    parser.add_argument("--rate", type=_rate, help="requests per second instead of 9")
    parser.add_argument("--burst", type=_burst, help="requests at once instead of 600")
    parser.add_argument(
        "--random-seed",
        default="0",
        metavar="TEXT",
        help="what IDs and chances come from; for data, see --load",
    )
    parser.add_argument(
        "--load",
        action="append",
        default=[],
        metavar="SEED",
        help="users, conversations, messages: a .json, .toml or .yaml file, an export, or demo",
    )
    parser.add_argument(
        "--persist",
        metavar="FILE",
        help="keep all data in this SQLite file, and go on with what is in it",
    )
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument(
        "--list-switches", action="store_true", help="print the switches with their choices"
    )
    parser.add_argument(
        "--list-behaviour",
        action="store_true",
        help="print each route, switch and fact, how it is known and from where",
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="ID[@P]", help="such as return-503@0.05"
    )
    parser.add_argument(
        "--webhook",
        action=_Webhook,
        default=[],
        metavar="URL",
        help="where to send events; may be repeated",
    )
    parser.add_argument(
        "--events",
        action=_Events,
        metavar="TYPE,...",
        help="send only these to the --webhook before it, such as message.sent",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="answer to this host name as well, such as that of a container; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="do not log requests to stderr")
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end when the process that started this one has ended, even by kill -9",
    )
    return parser


class _Webhook(argparse.Action):
    """Begins the settings of one receiver."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002  # argparse's own signature
    ) -> None:
        if not values.startswith(("http://", "https://")):
            parser.error(f"--webhook takes an http:// or https:// URL, not {values!r}")
        namespace.webhook = [*namespace.webhook, (values, None)]


class _Events(argparse.Action):
    """Chooses the events of the receiver before it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002  # argparse's own signature
    ) -> None:
        if not namespace.webhook:
            parser.error("--events belongs behind the --webhook that it is about")
        *others, (url, _) = namespace.webhook
        namespace.webhook = [*others, (url, values.split(","))]


def _limits(options: argparse.Namespace) -> Limits:
    limits = Limits.off() if options.no_limits else Limits()
    if options.rate is not None:
        limits = attrs.evolve(limits, rate=options.rate)
    if options.burst is not None:
        limits = attrs.evolve(limits, burst=options.burst)
    return limits


def _switches(settings: Sequence[str]) -> Switches:
    switches = Switches.from_environment()
    for setting in settings:
        name, _, value = setting.partition("=")
        switches.set(name, value)
    return switches


def _listed(switches: Sequence[Switch]) -> str:
    return "\n".join(
        f"{one.name}={'|'.join(str(choice) for choice in one.choices)}\n    {one.meaning}"
        for one in switches
    )


def _ledger_line(line: LedgerLine) -> str:
    source = f" ({line.source})" if line.source else ""
    return f"{line.kind} {line.name}: {line.behaviour}\n    {line.known}{source}"


if __name__ == "__main__":
    raise SystemExit(main())
