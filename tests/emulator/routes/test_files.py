"""Uploads, and messages that carry them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from talkjs_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("chat")]
Send = Callable[..., Awaitable[httpx.Response]]
Upload = Callable[..., Awaitable[httpx.Response]]

MESSAGES = "/conversations/chat/messages"


@pytest.fixture
def upload(emulator: Emulator) -> Upload:
    """Upload bytes the way httpx does."""

    async def upload_one(
        content: bytes = b"hello", name: str = "hi.txt", app: str = "", key: str = "", **fields: str
    ) -> httpx.Response:
        async with httpx.AsyncClient(transport=emulator.transport) as client:
            return await client.post(
                f"http://emulator/v1/{app or emulator.app_id}/files",
                files={"file": (name, content, "text/plain")},
                data=fields,
                headers={"authorization": f"Bearer {key or emulator.secret_key}"},
            )

    return upload_one


async def test_an_upload_answers_with_a_token_that_can_be_sent(
    emulator: Emulator, send: Send, upload: Upload
) -> None:
    answer = (await upload(b"\x00\r\n--not a boundary\r\n", 'naïve "1".txt')).json()
    assert answer["attachmentToken"] == answer["fileToken"]

    item = {"type": "SystemMessage", "attachmentToken": answer["fileToken"]}
    assert (await send("POST", MESSAGES, [item])).status_code == 200

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    assert message["text"] is None
    assert message["attachment"]["size"] == 21
    (block,) = message["content"]
    assert (block["type"], block["fileToken"]) == ("file", answer["fileToken"])
    assert (block["filename"], block["size"]) == ('naïve "1".txt', 21)
    assert block["url"] == message["attachment"]["url"]
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        downloaded = await client.get(block["url"])
        assert (await client.get(block["url"].replace("tok_", "xxx"))).status_code == 404
        assert (await client.get("http://emulator/_emulator/files/none/x")).status_code == 404
    assert downloaded.content == b"\x00\r\n--not a boundary\r\n"
    assert downloaded.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("key", ["attachmentToken", "fileToken"])
async def test_what_the_token_is_called_is_a_setting(
    emulator: Emulator, upload: Upload, key: str
) -> None:
    emulator.switches.upload_key = key  # type: ignore[assignment]

    assert list((await upload()).json()) == [key]


async def test_the_part_filename_names_the_file(send: Send, upload: Upload) -> None:
    answer = await upload(name="blob", filename="ärger.txt")
    block = {"type": "file", "fileToken": answer.json()["fileToken"]}
    await send("POST", MESSAGES, [{"type": "UserMessage", "sender": "bob", "content": [block]}])

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    assert message["content"][0]["filename"] == "ärger.txt"


async def test_metadata_comes_back_in_the_block(send: Send, upload: Upload) -> None:
    answer = await upload(subtype="voice", duration="2.5", width="0", height="7")
    block = {"type": "file", "fileToken": answer.json()["fileToken"]}
    await send("POST", MESSAGES, [{"type": "UserMessage", "sender": "bob", "content": [block]}])

    (message,) = (await send("GET", MESSAGES)).json()["data"]
    shown = message["content"][0]
    assert (shown["subtype"], shown["duration"]) == ("voice", 2.5)
    assert (shown["width"], shown["height"]) == (0, 7)


@pytest.mark.parametrize(
    "fields",
    [
        {"subtype": "document"},
        {"width": "wide"},
        {"duration": "-1"},
        {"height": "inf"},
        {"width": "nan"},
    ],
)
async def test_wrong_metadata_is_refused(upload: Upload, fields: dict[str, str]) -> None:
    assert (await upload(**fields)).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--b\r\n\r\n\r\n--b--"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nno end"),
        ("multipart/form-data; boundary=b", b"--b\r\nno headers\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: y\r\n\r\nno name\r\n--b--"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nno filename\r\n--b--',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="other"\r\n\r\n\r\n--b--',
        ),
    ],
)
async def test_a_body_that_is_no_file_is_a_400(
    emulator: Emulator, content_type: str, body: bytes
) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        answer = await client.post(
            "http://emulator/v1/emulator/files",
            content=body,
            headers={
                "authorization": f"Bearer {emulator.secret_key}",
                "content-type": content_type,
            },
        )

    assert answer.status_code == 400


async def test_an_unknown_token_cannot_be_sent(send: Send) -> None:
    for content in ({"attachmentToken": "x"}, {"content": [{"type": "file", "fileToken": "x"}]}):
        item: dict[str, Any] = {"type": "UserMessage", "sender": "bob", **content}
        assert (await send("POST", MESSAGES, [item])).status_code == 400


async def test_an_anonymous_project_uploads_a_megabyte_at_most(
    emulator: Emulator, upload: Upload
) -> None:
    async with httpx.AsyncClient(transport=emulator.transport) as client:
        made = (await client.post("http://emulator/v1/anonymousAccounts", json={})).json()
        url = f"http://emulator/v1/anonymousAccounts/{made['accessToken']}"
        project = (await client.get(url)).json()
    credentials = {"app": project["appId"], "key": project["secretKey"]}

    assert (await upload(b"x" * 1_000_000, **credentials)).status_code == 200
    assert (await upload(b"x" * 1_000_001, **credentials)).status_code == 400
    assert (await upload(b"x" * 1_000_001)).status_code == 200
