"""How sure a behaviour is, as the ledger has it."""

from talkjs_async.emulator.ledger import LedgerLine
from talkjs_async.emulator.page._html import Html, fill


def mark(line: LedgerLine) -> Html:
    """Return how a behaviour is known; a finger or pointer on it shows from where."""
    return fill(
        '<b class="mark" title="{source}">{known}</b>', source=line.source, known=line.known
    )
