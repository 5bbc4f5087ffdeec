"""
Reactions.

Adding and listing are seen in TalkJS's own program that copies an app; that a reaction can be taken
back is a third party's claim. The paths are the JavaScript SDK's own, for which the rules are
documented.
"""

import re
from typing import Any

from talkjs_async.emulator._problems import bad_request
from talkjs_async.emulator._route_context import RouteContext
from talkjs_async.emulator._routing import Routes
from talkjs_async.emulator.routes._listing import cursor, page, page_limit

__all__ = ["normalized", "routes"]

routes: Routes = Routes()

_MAX_DISTINCT_EMOJI = 50
# As TalkJS's own program asks for; documented for the JavaScript SDK.
_MAX_PAGE = 100

_EMOJI = "/conversations/{conversation}/messages/{message}/reactions/{emoji}"
_PATH = _EMOJI + "/{user}"

# Documented: at most 50 characters, colons included; not checked against the app's own list.
_CUSTOM = re.compile(r":[^:\s]{1,48}:")
_VARIATION_SELECTOR = "\ufe0f"
_KEYCAP = re.compile(r"[0-9#*]\ufe0f?\u20e3")
_MAX_UNICODE_LENGTH = 32

# Single characters that are emoji by themselves (Unicode's property Emoji_Presentation, in the
# basic plane). All others there need a variation selector to be one.
_PRESENTED_AS_EMOJI = frozenset(
    "\u231a\u231b\u23e9\u23ea\u23eb\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648\u2649\u264a"
    "\u264b\u264c\u264d\u264e\u264f\u2650\u2651\u2652\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd"
    "\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728"
    "\u274c\u274e\u2753\u2754\u2755\u2757\u2795\u2796\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55"
)


@routes.add("reactions.list", "GET", _EMOJI, mark="code", source="TalkJS's transfer program, 2026")
def list_(context: RouteContext, conversation_id: str, message_id: str, emoji: str) -> Any:
    """List who reacted to a message with an emoji, the latest first (inferred)."""
    limit = page_limit(context, _MAX_PAGE)
    message = context.message(conversation_id, message_id)
    users = (message.reactions or {}).get(normalized(emoji), {})
    after, gone = cursor(context, {user_id: user_id for user_id in users})
    latest_first = [] if gone else list(reversed(users))
    if after is not None and context.switches.reaction_pages == "all":
        latest_first = latest_first[latest_first.index(after) + 1 :]
    answer = page(latest_first, limit, lambda user_id: {"userId": user_id})
    return answer if context.switches.reaction_list == "data" else answer["data"]


@routes.add("reactions.add", "PUT", _PATH, mark="code", source="TalkJS's transfer program, 2026")
def add(
    context: RouteContext, conversation_id: str, message_id: str, emoji: str, user_id: str
) -> Any:
    """React to a message. Doing it twice changes nothing."""
    emoji = normalized(emoji)
    message = context.message(conversation_id, message_id)
    context.user(user_id)
    reactions = message.reactions or {}
    if emoji not in reactions and len(reactions) >= _MAX_DISTINCT_EMOJI:
        raise bad_request([f"A message has at most {_MAX_DISTINCT_EMOJI} different reactions."])
    users = reactions.setdefault(emoji, {})
    if user_id not in users:
        users[user_id] = context.now_ms
        message.reactions = reactions
        _commit(context, "reaction.added", conversation_id, message_id, user_id, emoji)
    return {}


@routes.add(
    "reactions.remove", "DELETE", _PATH, mark="third party", source="A description of the API"
)
def remove(
    context: RouteContext, conversation_id: str, message_id: str, emoji: str, user_id: str
) -> Any:
    """Take a reaction back. It need not be there."""
    emoji = normalized(emoji)
    message = context.message(conversation_id, message_id)
    reactions = message.reactions or {}
    users = reactions.get(emoji, {})
    if users.pop(user_id, None) is not None:
        if not users:
            del reactions[emoji]
        _commit(context, "reaction.removed", conversation_id, message_id, user_id, emoji)
    return {}


def normalized(emoji: str) -> str:
    """
    Return an emoji in its fully-qualified form, or raise the 400.

    Accepts what looks like a single emoji; the emulator has no list of all of them.
    """
    if _CUSTOM.fullmatch(emoji):
        return emoji
    bare = emoji.removesuffix(_VARIATION_SELECTOR)
    if len(bare) == 1 and "\u2000" <= bare <= "\u3300":
        return bare if bare in _PRESENTED_AS_EMOJI else bare + _VARIATION_SELECTOR
    looks_like_one = _KEYCAP.fullmatch(emoji) or (
        len(emoji) <= _MAX_UNICODE_LENGTH
        and any(character >= "\u2000" for character in emoji)
        and not any(character.isspace() or character.isalpha() for character in emoji)
    )
    if not looks_like_one:
        raise bad_request([f"emoji: {emoji!r} is neither an emoji nor a ':name:'."])
    return emoji


def _commit(  # one thing each, all of them IDs
    context: RouteContext,
    kind: str,
    conversation_id: str,
    message_id: str,
    user_id: str,
    emoji: str,
) -> None:
    context.commit(
        kind,
        conversation_id=conversation_id,
        message_id=message_id,
        user_id=user_id,
        detail={"emoji": emoji},
    )
