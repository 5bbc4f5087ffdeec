"""
The async Python SDK for the TalkJS REST API.

    async with AsyncTalkJS() as talkjs:
        await talkjs.messages.send("conversation", sender="alice", text="Hello")

Start with `AsyncTalkJS`. Optional parts have a module of their own, named after their extra.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from talkjs_async._version import __version__

if TYPE_CHECKING:
    from talkjs_async._core.call import Call, Lane
    from talkjs_async._core.clock import Clock
    from talkjs_async._core.endpoint import call_of
    from talkjs_async._core.idempotency import new_idempotency_key
    from talkjs_async._core.listing import Page
    from talkjs_async._core.pages import Records
    from talkjs_async._core.retry import RetryPolicy
    from talkjs_async._core.wire import UNSET, Unset
    from talkjs_async.anonymous import AnonymousProjects
    from talkjs_async.auth import AppTokenAuth, Auth, SecretKeyAuth
    from talkjs_async.client import AsyncTalkJS
    from talkjs_async.errors import (
        APIError,
        BadRequest,
        ConfigurationError,
        ConnectFailed,
        DecodeError,
        Forbidden,
        LimiterUnavailable,
        NotFound,
        OutcomeUnknown,
        RateLimited,
        RateLimitWaitTimeout,
        ServerError,
        TalkJSError,
        TransportError,
        Unauthorized,
        UnknownApp,
        UnknownEndpoint,
        WebhookError,
    )
    from talkjs_async.identity import one_on_one_id
    from talkjs_async.limits import (
        Budget,
        Budgets,
        Limiter,
        OwnBudgets,
        Permit,
        ProcessBudgets,
        TokenBucket,
    )
    from talkjs_async.models.anonymous import AnonymousProject
    from talkjs_async.models.app import App
    from talkjs_async.models.content import (
        ContentBlock,
        FileBlock,
        LocationBlock,
        TextBlock,
        UnknownBlock,
    )
    from talkjs_async.models.conversations import Conversation, ConversationInput, UserConversation
    from talkjs_async.models.events import (
        BaseEvent,
        ConversationDeleted,
        MessageDeleted,
        MessageRead,
        MessageSent,
        MessageUpdated,
        NotificationBounced,
        NotificationDelivered,
        NotificationLinkClicked,
        NotificationOpened,
        NotificationSent,
        NotificationTriggered,
        UnknownEvent,
        UserCreated,
        UserUpdated,
        WebhookEvent,
    )
    from talkjs_async.models.files import UploadedFile
    from talkjs_async.models.filters import Filter
    from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
    from talkjs_async.models.markup import escape_markup
    from talkjs_async.models.messages import (
        Attachment,
        Location,
        Message,
        SendReceipt,
        SystemMessage,
        UserMessage,
    )
    from talkjs_async.models.notifications import EmailSettings, SmsSettings
    from talkjs_async.models.participants import Participation
    from talkjs_async.models.presences import Presence, PresenceSession, UserSession
    from talkjs_async.models.reactions import Reaction, UserReaction
    from talkjs_async.models.themes import Theme
    from talkjs_async.models.users import User, UserInput
    from talkjs_async.telemetry import (
        AttemptEnded,
        Drained,
        Hook,
        Paused,
        RetryScheduled,
        StoreAway,
        StoreBack,
        TelemetryEvent,
        Waited,
    )
    from talkjs_async.webhooks import Webhooks

__all__ = [
    # the client
    "AsyncTalkJS",
    "AnonymousProjects",
    "AppTokenAuth",
    "Auth",
    "Budget",
    "Call",
    "Clock",
    "Budgets",
    "Lane",
    "Limiter",
    "OwnBudgets",
    "Permit",
    "ProcessBudgets",
    "Page",
    "Records",
    "RetryPolicy",
    "SecretKeyAuth",
    "TokenBucket",
    "UNSET",
    "Unset",
    "Webhooks",
    "__version__",
    "call_of",
    # what it tells while it works
    "AttemptEnded",
    "Drained",
    "Hook",
    "Paused",
    "RetryScheduled",
    "StoreAway",
    "StoreBack",
    "TelemetryEvent",
    "Waited",
    # what comes as a webhook
    "BaseEvent",
    "ConversationDeleted",
    "MessageDeleted",
    "MessageRead",
    "MessageSent",
    "MessageUpdated",
    "NotificationBounced",
    "NotificationDelivered",
    "NotificationLinkClicked",
    "NotificationOpened",
    "NotificationSent",
    "NotificationTriggered",
    "UnknownEvent",
    "UserCreated",
    "UserUpdated",
    "WebhookEvent",
    # what it speaks of
    "AnonymousProject",
    "App",
    "Attachment",
    "ContentBlock",
    "Conversation",
    "ConversationInput",
    "EmailSettings",
    "FileBlock",
    "Filter",
    "ImportedMessage",
    "ImportedSystemMessage",
    "Location",
    "LocationBlock",
    "Message",
    "Participation",
    "Presence",
    "PresenceSession",
    "Reaction",
    "SendReceipt",
    "SmsSettings",
    "SystemMessage",
    "TextBlock",
    "Theme",
    "UnknownBlock",
    "UploadedFile",
    "User",
    "UserConversation",
    "UserInput",
    "UserMessage",
    "UserReaction",
    "UserSession",
    "escape_markup",
    "new_idempotency_key",
    "one_on_one_id",
    # what can go wrong
    "APIError",
    "BadRequest",
    "ConfigurationError",
    "ConnectFailed",
    "DecodeError",
    "Forbidden",
    "LimiterUnavailable",
    "NotFound",
    "OutcomeUnknown",
    "RateLimitWaitTimeout",
    "RateLimited",
    "ServerError",
    "TalkJSError",
    "TransportError",
    "Unauthorized",
    "UnknownApp",
    "UnknownEndpoint",
    "WebhookError",
]


def _from_to(first: str, last: str) -> list[str]:
    names = list(__all__)
    return names[names.index(first) : names.index(last) + 1]


_MODULES = {
    "_core.call": ["Call", "Lane"],
    "_core.clock": ["Clock"],
    "_core.endpoint": ["call_of"],
    "_core.idempotency": ["new_idempotency_key"],
    "_core.listing": ["Page"],
    "_core.pages": ["Records"],
    "_core.retry": ["RetryPolicy"],
    "_core.wire": ["UNSET", "Unset"],
    "anonymous": ["AnonymousProjects"],
    "auth": ["AppTokenAuth", "Auth", "SecretKeyAuth"],
    "client": ["AsyncTalkJS"],
    "errors": _from_to("APIError", "WebhookError"),
    "limits": [
        "Budget",
        "Budgets",
        "Limiter",
        "OwnBudgets",
        "Permit",
        "ProcessBudgets",
        "TokenBucket",
    ],
    "models.anonymous": ["AnonymousProject"],
    "models.app": ["App"],
    "models.content": ["ContentBlock", "FileBlock", "LocationBlock", "TextBlock", "UnknownBlock"],
    "models.conversations": ["Conversation", "ConversationInput", "UserConversation"],
    "models.events": _from_to("BaseEvent", "WebhookEvent"),
    "models.files": ["UploadedFile"],
    "models.filters": ["Filter"],
    "models.imports": ["ImportedMessage", "ImportedSystemMessage"],
    "models.markup": ["escape_markup"],
    "models.messages": [
        "Attachment",
        "Location",
        "Message",
        "SendReceipt",
        "SystemMessage",
        "UserMessage",
    ],
    "models.notifications": ["EmailSettings", "SmsSettings"],
    "models.participants": ["Participation"],
    "models.presences": ["Presence", "PresenceSession", "UserSession"],
    "models.reactions": ["Reaction", "UserReaction"],
    "models.themes": ["Theme"],
    "models.users": ["User", "UserInput"],
    "identity": ["one_on_one_id"],
    "telemetry": _from_to("AttemptEnded", "Waited"),
    "webhooks": ["Webhooks"],
}
"""Where each public name lives. It is loaded when it is first asked for: see `__getattr__`."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # A worker that only catches errors or verifies webhooks does not load the client, and
    # `import talkjs_async` costs next to nothing in programs that may not use it at all.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
