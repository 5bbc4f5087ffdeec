"""
`python -m talkjs_async.emulator`: the emulator on a port, for programs in any language.

Prints one line of JSON as soon as it can answer, then nothing more:

    {"base_url": "http://127.0.0.1:4711", "app_id": "emulator", "secret_key": "sk_test_emulator"}
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence

import attrs

from talkjs_async.emulator import Emulator, Limits, RealClock, Switches
from talkjs_async.emulator.switches import Switch

__all__ = ["main", "parser_for"]

# Enough to look back, without growing for ever.
_LOG_LIMIT = 1_000


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m talkjs_async.emulator"
) -> int:
    """
    Run the command; return its exit code.

    Args:
        arguments: None: those of the process.
        prog: What it is called here.
    """
    parser = parser_for(prog)
    options = parser.parse_args(arguments)
    if options.list_switches:
        _say(_listed(Switches.table()))
        return 0
    try:
        emulator = Emulator(
            app_id=options.app_id,
            secret_key=options.secret_key,
            clock=RealClock(),
            limits=_limits(options),
            switches=_switches(options.switch),
            seed=options.seed,
            log_limit=_LOG_LIMIT,
        )
        for fault in options.fault:
            id_, _, probability = fault.partition("@")
            emulator.faults.add(id_, p=_probability(probability))
        for url in options.webhook:
            emulator.webhooks.to(url)
    except ValueError as error:
        parser.error(str(error))
    try:
        server = emulator.serve(host=options.host, port=options.port)
    except (ModuleNotFoundError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    ready = {
        "base_url": server.base_url,
        "app_id": emulator.app_id,
        "secret_key": emulator.secret_key,
    }
    server.run(on_ready=lambda: _say(json.dumps(ready)))
    return 0


def _probability(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        raise ValueError(f"A fault's probability must be a number up to 1, not {text!r}.") from None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def parser_for(prog: str) -> argparse.ArgumentParser:
    """What the command takes, under a name."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A local stand-in for the TalkJS REST API. Not TalkJS.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (default)")
    parser.add_argument("--app-id", default="emulator")
    parser.add_argument("--secret-key", default="sk_test_emulator", help="any text will do")
    parser.add_argument("--no-limits", action="store_true", help="never answer 429")
    parser.add_argument("--rate", type=float, help="requests per second instead of 9")
    parser.add_argument("--burst", type=int, help="requests at once instead of 600")
    parser.add_argument("--seed", default="0", help="what IDs and chances come from")
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument(
        "--list-switches", action="store_true", help="print the switches with their choices"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="ID[@P]", help="such as return-503@0.05"
    )
    parser.add_argument(
        "--webhook", action="append", default=[], metavar="URL", help="where to send events"
    )
    return parser


def _limits(options: argparse.Namespace) -> Limits:
    limits = Limits.off() if options.no_limits else Limits()
    if options.rate is not None:
        limits = attrs.evolve(limits, rate=options.rate)
    if options.burst is not None:
        limits = attrs.evolve(limits, burst=options.burst)
    return limits


def _switches(settings: Sequence[str]) -> Switches:
    switches = Switches()
    for setting in settings:
        name, _, value = setting.partition("=")
        switches.set(name, value)
    return switches


def _listed(switches: Sequence[Switch]) -> str:
    return "\n".join(
        f"{one.name}={'|'.join(str(choice) for choice in one.choices)}\n    {one.meaning}"
        for one in switches
    )


if __name__ == "__main__":
    raise SystemExit(main())
