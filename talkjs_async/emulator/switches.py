"""
A named switch for everything that TalkJS's documentation leaves open.

Outside of TalkJS it cannot be known which answer is right, so a program that is to be trusted has
to work under each of them. `Switches.choices()` lists them all, for a test that goes through them.
Behaviour of the rate limits that is not documented is set in `Limits`.
"""

from typing import Any, Literal, get_args, get_type_hints

import attrs

__all__ = ["Switches"]


def _check(_: "Switches", attribute: "attrs.Attribute[Any]", value: Any) -> Any:
    choices = Switches.choices()[attribute.name]
    if value not in choices:
        raise ValueError(f"{attribute.name} must be one of {choices}, not {value!r}.")
    return value


@attrs.define(kw_only=True, on_setattr=_check)
class Switches:
    """
    How this server behaves where the documentation does not say.

    Every attribute may be changed at any time. The first choice is the default, the likeliest
    one or, where nothing speaks for either, the one that is harder on the caller.
    """

    # Lists

    limit_over_max: Literal["reject", "clamp"] = "reject"
    """A page limit outside its range: refused with 400, or cut to the range.
    An error status was seen in production in 2023; which one is inferred."""

    unknown_cursor: Literal["reject", "empty"] = "reject"
    """`startingAfter` names a record that is gone: 400, or an empty page. Nothing known."""

    order_ties: Literal["sequence", "id"] = "sequence"
    """Records of the same millisecond: in order of arrival, or ordered by ID. Nothing known."""

    messages_of_unknown_conversation: Literal["not_found", "empty"] = "not_found"
    """Listing the messages of an unknown conversation. Inferred: 404."""

    # Writes

    idempotent_repeat: Literal["same_id", "error"] = "same_id"
    """A repeated `idempotencyKey`: answered with the first message's ID, or with a 409.
    That it creates nothing is documented; the answer is inferred."""

    idempotency_scope: Literal["conversation", "app"] = "conversation"
    """Where an `idempotencyKey` has to be unique. Nothing known."""

    delete_unknown: Literal["ok", "not_found"] = "ok"
    """Deleting a conversation, message or participant that does not exist.
    Official scripts delete without looking first, which makes 200 likely."""

    put_conversation_unknown_user: Literal["error", "ok"] = "error"
    """PUT conversation with a participant who was never synchronized. Inferred from the
    JavaScript SDK, where adding an unknown user fails."""

    not_a_participant: Literal[403, 400] = 403
    """Status when the sender of a message is not a participant. The JavaScript SDK knows a 403
    `NOT_A_PARTICIPANT`; that the REST API uses it is inferred."""

    unknown_fields: Literal["ignore", "reject"] = "ignore"
    """Unknown keys in a body. Inferred: ignored."""

    wrong_content_type: Literal["bad_request", "unsupported_media_type", "ignore"] = "bad_request"
    """A body that is not declared as JSON: 400, 415, or accepted. The header is required by the
    documentation; what happens without it is not said."""

    custom_update: Literal["merge", "replace"] = "merge"
    """What `custom` in an update does to the keys it does not name. Inferred: they stay."""

    custom_edit_sets_edited_at: Literal[True, False] = True
    """Whether editing only a message's `custom` sets `editedAt`. Nothing known."""

    # Shapes

    empty_phone: Literal["null", "list"] = "null"
    """A phone list that was never set. Both were observed, at different times."""

    empty_participants: Literal["object", "list"] = "object"
    """A conversation without participants: `{}`, or `[]` as a PHP client saw it."""

    unset_role: Literal["default", "null"] = "default"
    """A role that was never set. The documentation's sample shows `"default"`."""

    message_content: Literal["present", "absent"] = "present"
    """Whether messages have `content` blocks. Only newer documentation has them."""

    reactions_shape: Literal["counts", "users", "absent"] = "counts"
    """A message's `reactions`: emoji to a count and a time as in the JavaScript SDK, emoji to
    user IDs, or not there. Only that newer messages have the field is known."""

    presence_shape: Literal["full", "widgets"] = "full"
    """What a presence holds: status, sessions with and without user interface; or only the
    latter, as one sentence of the documentation has it."""

    upload_key: Literal["both", "attachmentToken", "fileToken"] = "both"
    """What the answer to an upload calls its token. Older clients read the one, the JavaScript
    SDK reads the other."""

    user_conversation_fields: Literal["present", "absent"] = "present"
    """Whether a user's conversations show what they look like to that user. Newer documentation
    says so; the names are inferred."""

    reasons: Literal["list", "fields"] = "list"
    """The `reasons` of a 400: a list of texts, or an object of field to texts. Clients in the
    wild read both."""

    users_batch_errors: Literal["reasons", "bare", "unnamed"] = "reasons"
    """Where a refused batch of users names the bad ones: under `reasons`, as the whole body, or
    not at all. Documented: an object with the messages per invalid user; its shape is not."""

    rate_limit_body: Literal["json", "text", "empty"] = "json"
    """The body of a 429. Nothing known."""

    webhook_timestamp: Literal["milliseconds", "seconds"] = "milliseconds"
    """The unit of a webhook's timestamp. Nothing known."""

    # Endpoints that may look different, or not be there

    mark_as_read: Literal["both", "read_by", "read_until"] = "both"
    """How a conversation is marked as read: `POST .../readBy/{user}`, or PATCH of the user's
    conversation with `readUntil`. Third parties claim the one and the other."""

    old_sessions: Literal["served", "gone"] = "served"
    """`GET /users/{id}/sessions`, which presences have superseded."""

    import_rules: Literal["documented", "lenient"] = "documented"
    """Imports: 10 messages with `timestamp` and `readBy`; or up to 1,000, with `createdAt` as
    another name and `readBy` optional, as third parties have it."""

    import_answer: Literal["empty", "ids"] = "empty"
    """What an import answers. Nothing known."""

    themes_method: Literal["both", "PUT", "PATCH"] = "both"
    """The method that changes themes. Inferred."""

    batch_charges: Literal["one", "each"] = "one"
    """Whether the operations of a batch are charged to the ordinary rate limit, too. Nothing
    known."""

    # Tokens and versions

    admin_tokens: Literal["reject", "accept"] = "reject"
    """Tokens with `tokenType: "admin"`. The documentation says `app`; third parties in 2026 say
    `admin`."""

    exp_claim: Literal["required", "optional"] = "required"
    """App tokens that never expire. The documentation's sample has an `exp`."""

    unknown_version: Literal["newest", "reject"] = "newest"
    """A `TalkJS-REST-Version` that never was: served as the newest one, or refused with 400."""

    def __attrs_post_init__(self) -> None:
        for attribute in attrs.fields(Switches):
            _check(self, attribute, getattr(self, attribute.name))

    @classmethod
    def choices(cls) -> dict[str, tuple[Any, ...]]:
        """Return every switch's name and its possible values, the default first."""
        return _CHOICES


_CHOICES = {name: get_args(hint) for name, hint in get_type_hints(Switches).items()}
