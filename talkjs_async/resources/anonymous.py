"""
Anonymous projects: TalkJS apps without an account, for trying things out.

Source: TalkJS's published skill for coding tools, 2026 (documented; read 2026-11-22).
"""

from __future__ import annotations

from talkjs_async._core.call import Call, path
from talkjs_async._core.endpoint import Resource, endpoint
from talkjs_async.models.anonymous import AnonymousProject

__all__ = ["Anonymous"]


class Anonymous(Resource):
    """TalkJS apps without an account, for trying things out."""

    __slots__ = ()

    @endpoint
    def create(self) -> Call[AnonymousProject]:
        """
        Make a project. TalkJS allows one in 30 seconds and IP address.

        Returns:
            The project with its `access_token`, but without its secret key: that is what `get` is
            for.

        Raises:
            OutcomeUnknown: The request left and no answer came. There may be a project that no one
                has the token of.
        """
        return Call(
            method="POST",
            path="/anonymousAccounts",
            body={},
            decode=AnonymousProject.from_wire,
            idempotent=False,
            bucket="anonymous",
            batchable=False,
        )

    @endpoint
    def get(self, access_token: str) -> Call[AnonymousProject]:
        """
        Read a project's secret key.

        Args:
            access_token: What `create` returned. It is neither a secret key nor a user's token.

        Raises:
            NotFound: There is none, or it has been claimed.
        """
        return Call(
            method="GET",
            path=path("anonymousAccounts", access_token=access_token),
            decode=AnonymousProject.from_wire,
            batchable=False,
        )
