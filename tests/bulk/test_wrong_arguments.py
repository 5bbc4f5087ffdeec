"""Options of bulk jobs that cannot be right are refused by name, before anything happens."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from talkjs_async import UNSET, AsyncTalkJS, ConfigurationError, Webhooks, bulk

pytestmark = pytest.mark.anyio

NO_FLAG: list[Any] = ["yes", 1, 0, None, [], UNSET]
NO_SECONDS: list[Any] = ["1", -1, True, None, math.nan, math.inf, [], 10**5_000]
NO_COUNT: list[Any] = [-1, True, 2.5, "3", math.nan, []]
NO_NAME: list[Any] = ["", 7, True, b"x", "\ud800", ["x"], UNSET]
NO_PATH: list[Any] = [7, b"x", ["x"], "a\0b", "\ud800", "x" * 256, "x/" * 3_000, UNSET]
USERS = [{"id": "alice", "name": "Alice"}]

Make = Callable[..., Any]
WRONG: list[tuple[Make, str, list[Any]]] = [
    *[
        (make, option, values)
        for make in (
            lambda talkjs, **options: bulk.upsert_users(talkjs, USERS, **options),
            lambda talkjs, **options: bulk.upsert_conversations(talkjs, [], **options),
            lambda talkjs, **options: bulk.send_messages(talkjs, [], **options),
            lambda talkjs, **options: bulk.import_messages(talkjs, [], **options),
        )
        for option, values in {
            "dry_run": NO_FLAG,
            "job_id": NO_NAME,
            "journal": NO_PATH,
            "total": NO_COUNT,
            "lane": ["fast", None, [], 1],
        }.items()
    ],
    (lambda talkjs, **options: bulk.import_messages(talkjs, [], **options), "settle", NO_SECONDS),
    (lambda talkjs, **options: bulk.restore(talkjs, "x", **options), "settle", NO_SECONDS),
    (lambda talkjs, **options: bulk.restore(talkjs, "x", **options), "into_existing", NO_FLAG),
    (bulk.restore, "directory", NO_PATH),
    (lambda talkjs, **options: bulk.export(talkjs, "x", **options), "reactions", NO_FLAG),
    (lambda talkjs, **options: bulk.export(talkjs, "x", **options), "dry_run", NO_FLAG),
    (bulk.export, "directory", NO_PATH),
    (bulk.migrate_sendbird, "directory", NO_PATH),
    *[
        (lambda talkjs, **options: bulk.anonymise_user(talkjs, "alice", **options), flag, NO_FLAG)
        for flag in ("conversations", "everyones_messages", "dry_run")
    ],
    *[
        (lambda talkjs, **options: bulk.transfer(talkjs, other(talkjs), **options), option, values)
        for option, values in {
            "journal": NO_PATH,
            "settle": NO_SECONDS,
            "max_file_bytes": [0, "1", True, math.nan, None],
            "file_timeout": [0, "1", True, math.nan, None],
            "allow_loopback_files": NO_FLAG,
        }.items()
    ],
    (
        lambda _talkjs, **options: bulk.read_users("x.csv", **options),
        "format",
        ["xml", [], UNSET, 7],
    ),
]


def other(talkjs: AsyncTalkJS) -> AsyncTalkJS:
    return AsyncTalkJS("other", "sk_test_other")


@pytest.mark.parametrize(("make", "option", "values"), WRONG)
async def test_a_wrong_option_is_named_before_anything_happens(
    talkjs: AsyncTalkJS, tmp_path: Path, make: Make, option: str, values: list[Any]
) -> None:
    for value in values:
        if value is None and option in {"job_id", "journal", "total"}:
            continue
        with pytest.raises(ConfigurationError) as caught:
            make(talkjs, **{option: value})
        assert option == caught.value.argument
    assert 0 == talkjs.budget.granted


@pytest.mark.parametrize("value", [None, "x", 7])
def test_a_job_needs_a_client(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="talkjs: must be an AsyncTalkJS"):
        bulk.upsert_users(value, USERS)


async def test_an_id_of_thousands_of_digits_is_the_error_of_its_record(
    talkjs: AsyncTalkJS,
) -> None:
    report = await bulk.upsert_users(talkjs, [{"id": 10**5_000, "name": "Huge"}, *USERS])

    assert (1, 1) == (report.done, report.failed)


@pytest.mark.parametrize("value", ["yes", 1, None, UNSET])
async def test_a_batch_is_told_by_true_or_false_what_to_do_with_errors(
    talkjs: AsyncTalkJS, value: Any
) -> None:
    with pytest.raises(ConfigurationError, match="return_exceptions: must be True or False"):
        await talkjs.batch(return_exceptions=value)


@pytest.mark.parametrize("body", ["{}", None, {}, 7])
def test_only_bytes_are_signed(body: Any) -> None:
    with pytest.raises(ConfigurationError, match="body: must be bytes"):
        Webhooks("sk_test_x").sign(body)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a current directory stays")
async def test_a_relative_path_needs_a_current_directory(
    talkjs: AsyncTalkJS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    for make, option, values in WRONG:
        if values is NO_PATH:
            with pytest.raises(ConfigurationError, match=r"x is relative to .* gone") as caught:
                make(talkjs, **{option: "x"})
            assert option == caught.value.argument
    with pytest.raises(ConfigurationError, match=r"path: x\.csv is relative"):
        bulk.read_users("x.csv")
