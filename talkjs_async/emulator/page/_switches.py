"""The switches for undocumented behaviour, each with a button per choice."""

import json
from typing import Any

from talkjs_async.emulator.page._html import Html, fill, join
from talkjs_async.emulator.switches import Switch, Switches


def switch_table(switches: Switches) -> Html:
    """Return every switch with its choices; the one in force is pressed."""
    rows = [_row(switch, getattr(switches, switch.name)) for switch in switches.table()]
    return fill("<table><tbody>{rows}</tbody></table>", rows=join(rows))


def _row(switch: Switch, chosen: Any) -> Html:
    return fill(
        '<tr><td title="{meaning}"><code>{name}</code></td><td class="buttons">{choices}</td></tr>',
        meaning=switch.meaning,
        name=switch.name,
        choices=join(_button(switch, choice, chosen) for choice in switch.choices),
    )


def _button(switch: Switch, choice: Any, chosen: Any) -> Html:
    return fill(
        '<button data-do="{action}" aria-pressed="{pressed}">{choice}</button> ',
        action=json.dumps({"do": "switch", "name": switch.name, "value": choice}),
        pressed="true" if choice == chosen else "false",
        choice=choice,
    )
