"""
Keeping an emulator's data in a file: one SQLite database that survives restarts and `kill -9`.

All changes of a request, a seed or a simulated user are written in one transaction when the
emulator's lock is released, which is before the answer leaves. Only what the commit log names is
written. Data is kept; logs, budgets, faults, settings and open tabs are not.
"""

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from talkjs_async.emulator._record_rows import Key, Restoring, keys_of, row_of
from talkjs_async.emulator._world import World
from talkjs_async.emulator.commit_log import Commit

# Tells a file of ours from other databases; and what it looks like inside.
_APPLICATION_ID = 0x546B4A73
_FORMAT = 1

_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT, app TEXT, parent TEXT, id TEXT, data TEXT, content BLOB,
    PRIMARY KEY (kind, app, parent, id)
) WITHOUT ROWID
"""
_WRITE = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM records WHERE kind = ? AND app = ? AND parent = ? AND id = ?"


class Persistence:
    """The file of one emulator."""

    def __init__(self, path: Path) -> None:
        """
        Open a file, or make it.

        Raises:
            ValueError: It is damaged, no file of an emulator's, or in use by another one.
        """
        self._path = path
        self._changed: dict[Key, None] = {}
        self._apps: object = None
        _check_header(path)
        try:
            # Used under the emulator's lock only, by whichever thread has it.
            self._database = sqlite3.connect(
                path, timeout=0.2, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise ValueError(f"{path} cannot be opened: {error}.") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            locked = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            raise ValueError(
                f"{path} is in use by another emulator."
                if locked
                else f"{path} cannot be opened, or is damaged: {error}. Remove it to begin anew."
            ) from error

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_FORMAT}")
        database.execute(_TABLE)
        database.execute("COMMIT")
        # From here on, since what is above has to stand in the file itself, not in its log.
        database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing; a machine that loses its power, the last moments.
        database.execute("PRAGMA synchronous = NORMAL")

    def attach(self, world: World) -> bool:
        """
        Put what is in the file into an emulator, and from now on its changes into the file.

        Returns:
            Whether there was anything in it.

        Raises:
            ValueError: A record in it cannot be read.
        """
        self._world = world
        try:
            rows = self._database.execute(
                # Apps come first, and conversations before their messages.
                "SELECT kind, app, parent, id, data, content FROM records "
                "ORDER BY kind IN ('message', 'key'), kind"
            ).fetchall()
            restored = Restoring(world).restore(rows)
        except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
            self._database.close()
            raise ValueError(
                f"{self._path} is damaged: {type(error).__name__} {error}. Remove it to begin anew."
            ) from error
        self._apps = world.apps if restored else None
        world.commits.on_record = self._note
        world.lock = _SavingLock(world.lock, self._save)
        with world.lock:
            # Another number in every run, so that no ID comes twice.
            self._changed["meta", "", "", "starts"] = None
        return restored

    def close(self) -> None:
        """Leave the file behind as one whole; the emulator goes on without it."""
        self._world.commits.on_record = None
        with self._world.lock:
            self._database.close()
        self._world.lock = threading.RLock()

    def _note(self, commit: Commit) -> None:
        """Note which records a commit has changed."""
        app, conversation, message = (
            json.dumps(one) for one in (commit.app_id, commit.conversation_id, commit.message_id)
        )
        detail = commit.detail or {}
        if commit.conversation_id is not None:
            self._changed["conversation", app, "", conversation] = None
            if commit.message_id is not None:
                self._changed["message", app, conversation, message] = None
            if commit.idempotency_key is not None:
                for scope in ("", commit.conversation_id):
                    key = json.dumps(commit.idempotency_key)
                    self._changed["key", app, json.dumps(scope), key] = None
        elif commit.user_id is not None:
            self._changed["user", app, "", json.dumps(commit.user_id)] = None
        elif "token" in detail:
            self._changed["file", app, "", json.dumps(detail["token"])] = None
        else:
            of = detail.get("appId", commit.app_id)
            self._changed["app", "", "", json.dumps(of)] = None

    def _save(self) -> None:
        """Write what has changed. Called with the lock held, for the last time."""
        world = self._world
        everything = self._apps is not world.apps
        if not everything and not self._changed:
            return
        try:
            self._database.execute("BEGIN")
            if everything:
                self._database.execute("DELETE FROM records WHERE kind != 'meta'")
                self._changed.update(dict.fromkeys(keys_of(world)))
            for key in self._changed:
                self._write(key)
            self._write(("meta", "", "", "moment"))
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            # What has changed is tried again with the next change.
            raise OSError(f"The emulator cannot write to {self._path}: {error}.") from error
        self._apps = world.apps
        self._changed.clear()

    def _write(self, key: Key) -> None:
        kind, app, _, id_ = key
        row = row_of(self._world, key)
        if row is not None:
            self._database.execute(_WRITE, (*key, *row))
            return
        self._database.execute(_REMOVE, key)
        if kind == "conversation":
            self._database.execute(
                "DELETE FROM records WHERE kind IN ('message', 'key') AND app = ? AND parent = ?",
                (app, id_),
            )


def _check_header(path: Path) -> None:
    """Refuse a file that is not ours before SQLite touches it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error}.") from error
    if not header:
        return
    # SQLite's documented file format: magic, user version, application ID.
    version, application_id = (int.from_bytes(header[at : at + 4]) for at in (60, 68))
    if not header.startswith(b"SQLite format 3\0") or application_id != _APPLICATION_ID:
        raise ValueError(f"{path} is no file of an emulator's. Choose another name.")
    if version != _FORMAT:
        raise ValueError(
            f"{path} was written by another version of the emulator. Remove it to begin anew."
        )


class _SavingLock:
    """A lock that can be taken again by its holder, and saves when it is given back at last."""

    def __init__(self, lock: Any, save: Callable[[], None]) -> None:
        self._lock = lock
        self._save = save
        self._depth = 0

    def __enter__(self) -> bool:
        self._lock.acquire()
        self._depth += 1
        return True

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        try:
            if not self._depth:
                self._save()
        finally:
            self._lock.release()
