"""
The figures of lists and arguments: `python -m tests.lists_and_arguments`.

Prints what the tests assert: records lost or doubled under everything that may happen to a list
while it is read, requests over the pages of a list, and wrong arguments that are not refused.
"""

from __future__ import annotations

import sys

import anyio
from hypothesis import settings

from talkjs_async._core.pages import Records
from tests.core.list_server import ListServer, listing
from tests.core.test_walk_machine import (
    test_whatever_happens_what_is_there_throughout_comes_exactly_once as machine,
)
from tests.resources.test_lists_machine import SWITCHES
from tests.resources.test_lists_machine import (
    test_each_list_gives_what_is_there_throughout_once as machine_of_client,
)
from tests.test_arguments import (
    CASES,
    VALUES,
)
from tests.test_arguments import (
    test_a_value_that_cannot_be_right_is_refused_with_the_name_of_the_argument as law,
)

ORDERS = {"by creation": (False, False), "oldest activity": (True, True)}
ORDERS["newest activity"] = (False, True)


async def most_over(size: int, ascending: bool, moves: bool) -> int:
    """Requests over the pages of lists up to the square of their pages, the most of them."""
    over = 0
    for count in range(size * size - 3 * size + 3):
        rows = [(f"r{number}", number) for number in range(count)]
        server = ListServer(rows, ascending=ascending)
        asked = listing(size, most=size, ascending=ascending, moves=moves)
        await Records(asked, server.run).collect()
        over = max(over, len(server.asked) - -(-count // size))
    return over


def main() -> int:
    """Print the three rows; the exit status is 1 when one of them is not as it should be."""
    failures: list[str] = []

    def count(what: str, check: object, *arguments: object) -> int:
        try:
            check(*arguments)  # type: ignore[operator]  # a test
        except AssertionError as error:
            failures.append(f"{what}: {error}"[:300])
            return 1
        return 0

    lost = count("lists", machine)
    examples = 4 * settings().max_examples
    print(f"lists machine: {examples:,} examples, {lost} with a record lost or doubled")
    lost = count("lists of the client", machine_of_client)
    answers = ", ".join(f"{len(choices)} {name}" for name, choices in SWITCHES.items())
    print(
        f"lists of the client: {settings().max_examples:,} examples under {answers}, "
        f"{lost} with a record lost or doubled"
    )
    for order, (ascending, moves) in ORDERS.items():
        over = anyio.run(most_over, 30, ascending, moves)
        print(f"requests per list, {order}: pages + {over} at most (up to 813 in pages of 30)")
    leaks = sum(count(f"{case.name}: {case.parameter}", law, case) for case in CASES)
    print(f"wrong arguments: {len(VALUES)} values x {len(CASES)} parameters, {leaks} leaks")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
