"""The switches for undocumented behaviour, each with a button per choice."""

from typing import Any

from talkjs_async.emulator.ledger import line_of
from talkjs_async.emulator.page._html import Html, button, fill, join
from talkjs_async.emulator.page._marks import mark
from talkjs_async.emulator.switches import Switch, Switches


def switch_table(switches: Switches) -> Html:
    """Return every switch with its choices; the one in force is pressed."""
    rows = [_row(switch, getattr(switches, switch.name)) for switch in switches.table()]
    return fill("<table><tbody>{rows}</tbody></table>", rows=join(rows))


def _row(switch: Switch, chosen: Any) -> Html:
    return fill(
        "<tr><td><code>{name}</code> {mark}<br>{meaning}</td>"
        '<td class="buttons">{choices}</td></tr>',
        name=switch.name,
        mark=mark(line_of("switch", switch.name)),
        meaning=switch.meaning.replace("`", ""),
        choices=join(
            button(choice, "PATCH switches", {switch.name: choice}, pressed=choice == chosen)
            for choice in switch.choices
        ),
    )
