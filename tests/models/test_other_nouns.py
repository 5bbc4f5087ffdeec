"""The app, themes, files, notifications and imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from talkjs_async._core.wire import UNSET
from talkjs_async.errors import ConfigurationError, DecodeError
from talkjs_async.models._answers import read_file_token, read_themes
from talkjs_async.models._bodies import AppInput, FileDetails, NotificationInput
from talkjs_async.models.anonymous import AnonymousProject
from talkjs_async.models.app import App
from talkjs_async.models.content import TextBlock
from talkjs_async.models.imports import ImportedMessage, ImportedSystemMessage
from talkjs_async.models.notifications import EmailSettings, SmsSettings
from talkjs_async.models.themes import Theme

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_the_app_is_read_and_written() -> None:
    wire = {"id": "q3k1pa9d", "custom": {"k": "v"}, "defaultLocale": "nl"}

    app = App.from_wire(wire)

    assert App(id="q3k1pa9d", custom={"k": "v"}, default_locale="nl") == app
    assert wire == app.to_wire()
    assert {"custom": {"k": None}} == AppInput(custom={"k": None}).to_wire()


def test_the_apps_custom_data_may_be_by_language() -> None:
    wire = {"id": "app", "custom": {"greeting": {"en": "Hi", "nl": "Hoi"}, "k": "v"}}

    app = App.from_wire(wire)

    assert {"en": "Hi", "nl": "Hoi"} == app.custom["greeting"]
    assert {**wire, "defaultLocale": None} == app.to_wire()


def test_themes_are_read_by_name_and_written_without_a_missing_base() -> None:
    themes = read_themes({"dark": {"base": "default_v7", "files": {"layout.json": "{}"}}})

    assert {"dark": Theme(base="default_v7", files={"layout.json": "{}"})} == themes
    assert {"base": "default_v7", "files": {"layout.json": "{}"}} == themes["dark"].to_wire()
    assert {"files": {}} == Theme().to_wire()


def test_an_anonymous_project_hides_its_secrets() -> None:
    created = AnonymousProject.from_wire(
        {"appId": "tABC", "accessToken": "acc_secret", "claimUrl": "https://talkjs.com/claim"}
    )
    read = AnonymousProject.from_wire({"appId": "tABC", "secretKey": "sk_test_secret"})

    assert ("acc_secret", "sk_test_secret") == (created.access_token, read.secret_key)
    assert "secret" not in repr(created) + repr(read)


def test_file_details_are_form_fields() -> None:
    details = FileDetails(filename="a.ogg", subtype="voice", width=640, height=480.5, duration=12)

    assert {
        "filename": "a.ogg",
        "subtype": "voice",
        "width": "640",
        "height": "480.5",
        "duration": "12",
    } == details.to_wire()


@pytest.mark.parametrize("key", ["attachmentToken", "fileToken"])
def test_the_token_of_a_file_is_read_under_either_name(key: str) -> None:
    assert "tok" == read_file_token({key: "tok"})


def test_an_upload_without_a_token_is_our_error() -> None:
    with pytest.raises(DecodeError, match="attachmentToken"):
        read_file_token({})


def test_a_notification_is_written_with_its_settings() -> None:
    notification = NotificationInput(
        channels=["email", "sms"],
        recipients=["bob"],
        sms_settings=SmsSettings(sms_template="{{messages}}"),
        email_settings=EmailSettings(subject="New", extra={"sendCopy": True}),
    )

    assert {
        "channels": ("email", "sms"),
        "recipients": ("bob",),
        "smsSettings": {"smsTemplate": "{{messages}}"},
        "emailSettings": {"subject": "New", "sendCopy": True},
    } == notification.to_wire()
    assert {"channels": ("sms",)} == NotificationInput(channels=("sms",)).to_wire()


def test_an_imported_message_carries_its_own_time() -> None:
    message = ImportedMessage(sender="alice", text="hi", sent_at=NOON, read_by=["bob"])
    system = ImportedSystemMessage(content=[TextBlock(children=("hi",))], sent_at=NOON)

    assert {
        "type": "UserMessage",
        "sender": "alice",
        "text": "hi",
        "createdAt": 1_704_110_400_000,
        "readBy": ("bob",),
    } == message.to_wire()
    assert {
        "type": "SystemMessage",
        "content": [{"type": "text", "children": ["hi"]}],
        "createdAt": 1_704_110_400_000,
    } == system.to_wire()


@pytest.mark.parametrize(
    ("argument", "model", "arguments"),
    [
        ("custom", AppInput, {"custom": {"k": 1}}),
        ("default_locale", AppInput, {"default_locale": ""}),
        ("base", Theme, {"base": ""}),
        ("files", Theme, {"files": {"a": None}}),
        ("files", Theme, {"files": "a"}),
        ("subtype", FileDetails, {"filename": "a", "subtype": "gif"}),
        ("width", FileDetails, {"filename": "a", "width": -1}),
        ("duration", FileDetails, {"filename": "a", "duration": float("nan")}),
        ("height", FileDetails, {"filename": "a", "height": True}),
        ("channels", NotificationInput, {"channels": []}),
        ("channels", NotificationInput, {"channels": "sms"}),
        ("channels", NotificationInput, {"channels": ["fax"]}),
        ("channels", NotificationInput, {"channels": [["sms"]]}),
        ("channels", NotificationInput, {"channels": UNSET}),
        ("recipients", NotificationInput, {"channels": ["sms"], "recipients": "bob"}),
        ("sent_at", ImportedMessage, {"sent_at": datetime(2024, 1, 1)}),  # noqa: DTZ001
        ("sent_at", ImportedMessage, {"sent_at": 5}),
        ("sender", ImportedMessage, {"sender": ""}),
        ("read_by", ImportedMessage, {"read_by": [""]}),
        ("text", ImportedMessage, {"text": UNSET}),
        ("content", ImportedMessage, {"content": [TextBlock(children=())]}),
        ("content", ImportedSystemMessage, {"sent_at": NOON, "content": []}),
        ("text", ImportedSystemMessage, {"sent_at": NOON}),
    ],
)
def test_a_wrong_argument_is_named(
    argument: str, model: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    good = {"sender": "a", "text": "b", "sent_at": NOON} if model is ImportedMessage else {}

    with pytest.raises(ConfigurationError) as caught:
        model(**{**good, **arguments})

    assert argument == caught.value.argument
