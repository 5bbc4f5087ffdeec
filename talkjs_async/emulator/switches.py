"""
A named switch for everything that TalkJS's documentation leaves open.

Outside TalkJS it cannot be known which answer is right, so a program that is to be trusted has to
work under each of them. A switch is declared once, below: its name, its choices, what they mean
and how the first of them is known. The setting, the option `--switch` of the command, the page and
`docs/reference/switches.md` are made of that. Behaviour of the rate limits that is not documented
is set in `Limits`.
"""

from copy import copy
from functools import lru_cache
from os import environ
from typing import Any, Literal, Self, get_args

import attrs

from talkjs_async.emulator._attributes import ListsAttributes

__all__ = ["ENVIRONMENT", "Switch", "Switches"]

ENVIRONMENT = "TALKJS_EMULATOR_SWITCHES"
"""Holds what emulators have for switches that their program does not set: `name=value,...`."""

Mark = Literal["live", "documented", "code", "third party", "inferred", "unknown"]


@attrs.frozen
class Switch:
    """
    One open question.

    Attributes:
        name: The attribute of `Switches`.
        choices: Its possible values, the default first.
        meaning: What is asked, and what the values stand for.
        mark: How the default is known: seen live, documented, seen in code, said by a third party,
            inferred, or not at all (unknown).
        source: Where it is known from, or what it was inferred from.
    """

    name: str
    choices: tuple[Any, ...]
    meaning: str
    mark: Mark
    source: str


def _switch(meaning: str, mark: Mark = "unknown", source: str = "") -> Any:
    return attrs.field(metadata={"meaning": meaning, "mark": mark, "source": source})


def _check(_: "Switches", attribute: "attrs.Attribute[Any]", value: Any) -> None:
    choices = get_args(attribute.type)
    if value not in choices:
        raise ValueError(f"{attribute.name} must be one of {choices}, not {value!r}.")


def _first_choice(_: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """Make the first choice the default, and allow no value that is none of them."""
    return [field.evolve(default=get_args(field.type)[0], validator=_check) for field in fields]


@attrs.define(kw_only=True, on_setattr=attrs.setters.validate, field_transformer=_first_choice)
class Switches(ListsAttributes):
    """
    How this server behaves where the documentation does not say.

    Every attribute may be changed at any time. The first choice is the default, the likeliest
    one or, where nothing speaks for either, the one that is harder on the caller.
    """

    # Lists

    limit_over_max: Literal["reject", "clamp", "up_to_100"] = _switch(
        "A page limit outside its range: refused with 400, or cut to the range; or up to 100 "
        "conversations are served, and more refused.",
        "inferred",
        "an error status was seen in production in 2023, not which one; older programs of TalkJS's "
        "own ask for 50 and 100 conversations",
    )
    unknown_cursor: Literal["reject", "empty", "start"] = _switch(
        "`startingAfter` names a record that is gone: 400, an empty page, or the list anew."
    )
    order_ties: Literal["sequence", "id"] = _switch(
        "Records of the same millisecond: in order of arrival, or ordered by ID."
    )
    messages_of_unknown_conversation: Literal["not_found", "empty"] = _switch(
        "Listing the messages of an unknown conversation: 404, or an empty page.",
        "inferred",
        "a single unknown conversation is a 404",
    )

    # Writes

    idempotent_repeat: Literal["same_id", "error"] = _switch(
        "A repeated `idempotencyKey`: answered with the first message's ID, or with a 409.",
        "inferred",
        "documented is that it creates nothing",
    )
    idempotency_scope: Literal["conversation", "app"] = _switch(
        "Where an `idempotencyKey` has to be unique."
    )
    delete_unknown: Literal["not_found", "ok"] = _switch(
        "Deleting a conversation, message or participant that does not exist: 404, or 200.",
        "code",
        "an Elixir app in production handles a 404; official scripts delete without looking first",
    )
    put_conversation_unknown_user: Literal["error", "ok"] = _switch(
        "PUT of a conversation with a participant who was never synchronized: 404, or accepted.",
        "inferred",
        "adding an unknown user fails in the JavaScript SDK",
    )
    not_a_participant: Literal[403, 400] = _switch(
        "Status when the sender of a message is not a participant.",
        "inferred",
        "the JavaScript SDK knows a 403 `NOT_A_PARTICIPANT`",
    )
    unknown_fields: Literal["ignore", "reject"] = _switch(
        "Unknown keys in a body: ignored, or refused with 400.", "inferred"
    )
    wrong_content_type: Literal["bad_request", "unsupported_media_type", "ignore"] = _switch(
        "A body that is not declared as JSON: 400, 415, or accepted.",
        "inferred",
        "the documentation requires the header, and does not say what happens without it",
    )
    lone_surrogates: Literal["keep", "replace", "reject"] = _switch(
        "Half of a surrogate pair in a text: kept, replaced by U+FFFD, or refused with 400."
    )
    custom_update: Literal["merge", "replace"] = _switch(
        "What `custom` in an update does to the keys it does not name: they stay, or go.",
        "inferred",
        "programs in production rely on it",
    )
    custom_edit_sets_edited_at: Literal[True, False] = _switch(
        "Whether editing only a message's `custom` sets `editedAt`."
    )

    # Forms of answers

    empty_phone: Literal["null", "list"] = _switch(
        "A phone list that was never set: null, or `[]`.", "code", "both, at different times"
    )
    none_participants: Literal["hidden", "listed"] = _switch(
        "Whether a conversation lists participants whose access was set to `None`.",
        "inferred",
        "a program in production sets it on every removal and fails on any other access",
    )
    read_marks: Literal["present", "absent"] = _switch(
        "Whether participants show `joinedAt` and `readUntil`, and conversations "
        "`everyoneReadUntil`.",
        "code",
        "TalkJS's transfer program",
    )
    empty_participants: Literal["object", "list"] = _switch(
        "A conversation without participants: `{}`, or `[]`.",
        "inferred",
        "a PHP client saw `[]`, which is how PHP writes an empty map",
    )
    unset_role: Literal["default", "null"] = _switch(
        'A role that was never set: "default", or null.', "documented", "Users, the sample"
    )
    message_content: Literal["present", "absent"] = _switch(
        "Whether messages have `content` blocks.", "documented", "newer copies of Messages only"
    )
    reactions_shape: Literal["counts", "users", "absent"] = _switch(
        "A message's `reactions`: emoji to a count and a time, emoji to user IDs, or not there.",
        "inferred",
        "the JavaScript SDK; that newer messages have the field is known",
    )
    reaction_list: Literal["data", "bare"] = _switch(
        "The list of who reacted: under `data`, or a bare array.",
        "code",
        "TalkJS's transfer program reads both",
    )
    reaction_pages: Literal["all", "first"] = _switch(
        "Whether the list of who reacted obeys `startingAfter`, or always shows the latest.",
        "inferred",
        "all other lists do; TalkJS's transfer program reads one page",
    )
    presence_shape: Literal["full", "widgets"] = _switch(
        "What a presence holds: status, sessions with and without user interface; or only the "
        "latter.",
        "documented",
        "User Presence; one sentence of it says otherwise",
    )
    upload_key: Literal["both", "attachmentToken", "fileToken"] = _switch(
        "What the answer to an upload calls its token.",
        "code",
        "an older program of TalkJS's reads the first, its newest and the JavaScript SDK the other",
    )
    user_conversation_fields: Literal["present", "absent"] = _switch(
        "Whether a user's conversations show what they look like to that user.",
        "documented",
        "newer copies of Users; the names are inferred",
    )
    reasons: Literal["list", "fields"] = _switch(
        "The `reasons` of a 400: a list of texts, or an object of field to texts.",
        "code",
        "clients in the wild read both",
    )
    users_batch_errors: Literal["reasons", "bare", "unnamed"] = _switch(
        "Where a refused batch of users names the bad ones: under `reasons`, as the whole body, "
        "or not at all.",
        "inferred",
        "documented is an object with the messages per invalid user, not its form",
    )
    rate_limit_body: Literal["json", "text", "empty"] = _switch("The body of a 429.")
    webhook_timestamp: Literal["milliseconds", "seconds"] = _switch(
        "The unit of a webhook's timestamp."
    )

    unknown_app: Literal["not_found", "unauthorized"] = _switch(
        "An app ID that does not exist: a 404 with the text `Not found.`, before anybody looks at "
        "the credential; or a 401.",
        "live",
        "a third party, 2026-09-01",
    )
    unknown_path: Literal["not_found", "not_implemented"] = _switch(
        'A path or method that the emulator lacks: a 404 with the JSON string `"Not found"`, as '
        "TalkJS answers what it does not know; or a 501 that says so.",
        "live",
        "a third party, 2026-09-01",
    )

    # Endpoints that may look different, or not be there

    mark_as_read: Literal["all", "participant", "read_by", "user_conversation"] = _switch(
        "How a conversation is marked as read: PATCH of the participant with `readUntil`, "
        "`POST .../readBy/{user}`, or PATCH of the user's conversation with `readUntil`.",
        "code",
        "TalkJS's transfer program the first; an Elixir app the second; the third is third party",
    )
    old_sessions: Literal["served", "gone"] = _switch(
        "`GET /users/{id}/sessions`, which presences have superseded.",
        "documented",
        "User Presence, 2018",
    )
    import_rules: Literal["current", "older"] = _switch(
        "Imports: up to 100 messages of users and of the system, with `createdAt`, as text or as "
        "blocks; or the older rules: 10 texts of users, with `timestamp` and `readBy`, answered "
        "with `{}`.",
        "code",
        "TalkJS's transfer program, 2026; the older ones are documented in Importing Messages",
    )
    import_answer: Literal["ids", "empty"] = _switch(
        "What an import answers, under the current rules: the IDs in order, or `{}`.",
        "code",
        "TalkJS's transfer program, which goes on without them too",
    )
    themes_method: Literal["both", "PUT", "PATCH"] = _switch(
        "The method that changes themes.", "inferred"
    )
    batch_charges: Literal["one", "each"] = _switch(
        "Whether the operations of a batch are charged to the ordinary rate limit, too."
    )

    # Tokens and versions

    admin_tokens: Literal["reject", "accept"] = _switch(
        'Tokens with `tokenType: "admin"`.',
        "documented",
        "Introduction, which says `app`; third parties in 2026 say `admin`",
    )
    exp_claim: Literal["required", "optional"] = _switch(
        "App tokens that never expire.", "inferred", "the documentation's sample has an `exp`"
    )
    unknown_version: Literal["newest", "reject"] = _switch(
        "A `TalkJS-REST-Version` that never was: served as the newest one, or refused with 400."
    )

    @classmethod
    def from_environment(cls) -> Self:
        """
        Return the defaults, changed by the environment variable `TALKJS_EMULATOR_SWITCHES`.

        Raises:
            ValueError: It names a switch or a value that there is not.
        """
        # Copied, since checking each of them would be half of what a new emulator takes.
        return copy(cls._changed_by(environ.get(ENVIRONMENT, "")))

    @classmethod
    @lru_cache(maxsize=8)
    def _changed_by(cls, settings: str) -> Self:
        switches = cls()
        for setting in filter(None, settings.split(",")):
            name, _, value = setting.partition("=")
            try:
                switches.set(name.strip(), value.strip())
            except ValueError as error:
                raise ValueError(f"In {ENVIRONMENT}: {error}") from error
        return switches

    @classmethod
    def table(cls) -> tuple[Switch, ...]:
        """List every switch with what it is about."""
        return tuple(
            Switch(name=field.name, choices=get_args(field.type), **field.metadata)
            for field in attrs.fields(cls)
        )

    @classmethod
    def choices(cls) -> dict[str, tuple[Any, ...]]:
        """Return every switch's name and its possible values, the default first."""
        return {switch.name: switch.choices for switch in cls.table()}

    def set(self, name: str, value: str) -> None:
        """
        Set a switch by its name to a value that is written as text, in any case.

        Raises:
            ValueError: There is no such switch, or it has no such choice.
        """
        choices = self.choices()
        if name not in choices:
            raise ValueError(f"There is no switch {name!r}; there are: {', '.join(choices)}.")
        values = {str(choice).lower(): choice for choice in choices[name]}
        setattr(self, name, values.get(value.lower(), value))
