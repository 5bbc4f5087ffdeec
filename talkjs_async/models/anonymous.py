"""Test projects without an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from talkjs_async.models._declare import Model, model, wire
from talkjs_async.models._field_types import TEXT
from talkjs_async.models._frozen_map import EMPTY

__all__ = ["AnonymousProject"]


@model
class AnonymousProject(Model):
    """
    A test project without an account.

    Attributes:
        app_id: Its app ID.
        claim_url: Where a person makes it their own.
        access_token: Reads the project again; neither a REST key nor a user token. None in the
            answer to that.
        secret_key: Signs REST calls. None in the answer to the creation.

    Neither the secrets nor unknown keys are part of its repr.

    Source: TalkJS's published skill for coding tools, 2026 (documented).
    """

    app_id: str = wire("appId", TEXT)
    claim_url: str | None = wire("claimUrl", TEXT, default=None)
    access_token: str | None = wire("accessToken", TEXT, default=None, repr=False)
    secret_key: str | None = wire("secretKey", TEXT, default=None, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=EMPTY, hash=False, repr=False)
