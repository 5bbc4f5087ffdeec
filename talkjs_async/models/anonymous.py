"""Test projects without an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async.models import _field_types as field_type
from talkjs_async.models._frozen_map import EMPTY
from talkjs_async.models._schema import Schema

__all__ = ["AnonymousProject"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class AnonymousProject:
    """
    A test project without an account.

    Attributes:
        app_id: Its app ID.
        claim_url: Where a person makes it their own.
        access_token: Reads the project again; neither a REST key nor a user token. None in the
            answer to that.
        secret_key: Signs REST calls. None in the answer to the creation.
        extra: Keys that this version of the library does not know.

    Neither secret is part of its repr.

    Source: TalkJS's published skill for coding tools, 2026 (documented).
    """

    app_id: str
    claim_url: str | None = None
    access_token: str | None = attrs.field(default=None, repr=False)
    secret_key: str | None = attrs.field(default=None, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)

    @classmethod
    def from_wire(cls, data: Any) -> AnonymousProject:
        """Read TalkJS's JSON object. Raises DecodeError, which names the place."""
        return _ANONYMOUS.read(data)


_ANONYMOUS = Schema(
    AnonymousProject,
    app_id=("appId", field_type.TEXT),
    claim_url=("claimUrl", field_type.MAYBE_TEXT),
    access_token=("accessToken", field_type.MAYBE_TEXT),
    secret_key=("secretKey", field_type.MAYBE_TEXT),
)
