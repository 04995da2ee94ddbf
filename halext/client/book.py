"""Where a map keeps its answers: one SQLite file per job, so that one that was cut off goes on and asks nothing twice.

Synchronous and safe to use from several threads, one at a time; callers keep it off the event loop.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from halext.client.outcome import Outcome
from halext.errors import AlreadyRunning, DataDirUnusable

BUSY_S = 10.0
"""How long a write waits for another one to the same file."""
KEPT = 100_000
"""Answers that the file for all jobs without a name holds; the oldest make room."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS traits (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, text TEXT NOT NULL, code TEXT NOT NULL,
    message TEXT NOT NULL, node TEXT NOT NULL, model TEXT NOT NULL, attempts INTEGER NOT NULL, tried TEXT NOT NULL,
    tokens INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE TEMP TABLE run (position INTEGER PRIMARY KEY, key BLOB NOT NULL, state INTEGER NOT NULL);
CREATE TEMP TABLE seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
"""
_OPEN, _DONE, _HIT = 0, 1, 2
_COLUMNS = "text, code, message, node, model, attempts, tried, tokens, seconds"

Placed = tuple[int, bytes, Outcome]
"""Position, key and what became of it."""
Row = tuple[int, Outcome | None, bool]
"""Position, what became of it if anything has, and whether it was known before this run."""


class Book:
    """The answers of a run, and of those before it. Without a path they are kept until it is closed."""

    def __init__(self, path: Path | None, *, alone: bool = False) -> None:
        """With `alone` no other program may write while this one does: raises `AlreadyRunning`.

        Raises `DataDirUnusable` when the file can't be made, or is none of ours.
        """
        self.path = path
        self._lock = threading.Lock()
        self._guard: sqlite3.Connection | None = None
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                self._guard = _guarded(path) if alone else None
            self._db = sqlite3.connect(path or "", timeout=BUSY_S, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            self.release()
            raise self._complaint(error) from error

    def _prepare(self) -> None:
        self._db.isolation_level = None  # transactions are written out below
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")

    def traits(self) -> dict[str, str]:
        """What was said about the job when it was begun; empty for a new one."""
        with self._lock:
            return dict(self._db.execute("SELECT name, value FROM traits").fetchall())

    def keep_traits(self, traits: Mapping[str, str]) -> None:
        """Remember what the job is."""
        with self._lock:
            self._db.executemany("INSERT OR REPLACE INTO traits VALUES (?, ?)", traits.items())

    def prune(self, keep: int = KEPT) -> None:
        """Forget all but the newest answers."""
        with self._lock:
            self._db.execute("DELETE FROM answers WHERE number <= (SELECT max(number) FROM answers) - ?", (keep,))

    def enter(self, first: int, keys: Sequence[bytes], *, read: bool) -> list[tuple[bytes, Outcome | None]]:
        """Items come in, the first at this position: each one's own key, and its answer where it is known already.

        The same question twice is two items, with a key each. Failures are not known: they are asked again.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            return [self._enter(position, key, read=read) for position, key in enumerate(keys, first)]

    def _enter(self, position: int, key: bytes, *, read: bool) -> tuple[bytes, Outcome | None]:
        counting = "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
        ((times,),) = self._db.execute(counting, (key,)).fetchall()
        own = key + int(times).to_bytes(4, "big")
        found = None
        if read:
            query = f"SELECT {_COLUMNS} FROM answers WHERE key = ? AND code = ''"  # noqa: S608 - our own words
            found = self._db.execute(query, (own,)).fetchone()
        state = _HIT if found else _OPEN
        self._db.execute("INSERT INTO run VALUES (?, ?, ?)", (position, own, state))
        return own, _outcome(found) if found else None

    def save(self, placed: Sequence[Placed]) -> None:
        """Keep these, all in one commit. Raises `DataDirUnusable` when the disk is full."""
        marks = ", ".join("?" * 10)
        adding = f"INSERT OR REPLACE INTO answers (key, {_COLUMNS}) VALUES ({marks})"  # noqa: S608 - our own words
        try:
            with self._lock, self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(adding, [(key, *_values(found)) for _, key, found in placed])
                self._db.executemany("UPDATE run SET state = ? WHERE position = ?", [(_DONE, at) for at, *_ in placed])
        except sqlite3.Error as error:
            raise self._complaint(error) from error

    def rows(self, first: int, most: int) -> list[Row]:
        """The items of this run in order, from this position on, at most so many."""
        query = (
            f"SELECT run.position, run.state, {_COLUMNS} FROM run LEFT JOIN answers USING (key)"  # noqa: S608 - as above
            " WHERE run.position >= ? ORDER BY run.position LIMIT ?"
        )
        with self._lock:
            found = self._db.execute(query, (first, most)).fetchall()
        return [
            (position, _outcome(row) if state != _OPEN and row[0] is not None else None, state == _HIT)
            for position, state, *row in found
        ]

    def release(self) -> None:
        """Others may write from now on; this one only reads."""
        with self._lock:
            if self._guard is not None:
                self._guard.close()
                self._guard = None

    def close(self) -> None:
        """Let go of the file."""
        self.release()
        with self._lock:
            self._db.close()

    def _complaint(self, error: Exception) -> Exception:
        if "locked" in str(error):
            return AlreadyRunning(f"Another program works on the job in {self.path}; wait for it, or stop it first.")
        return DataDirUnusable(f"Answers can't be kept in {self.path}: {error}; name another place with folder=….")


def _guarded(path: Path) -> sqlite3.Connection:
    """A lock on a file beside it, which the system lets go of however this process ends.

    The file itself can't be locked: those who only read back an earlier run of the same job have it open.
    """
    beside = path.with_suffix(".lock")
    beside.touch(mode=0o600)
    guard = sqlite3.connect(beside, timeout=0.0, isolation_level=None, check_same_thread=False)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error:
        guard.close()
        raise
    return guard


def _values(found: Outcome) -> tuple[object, ...]:
    return (
        *(found.text, found.code, found.message, found.node, found.model, found.attempts),
        *(json.dumps(found.tried), found.tokens, found.seconds),
    )


def _outcome(row: Sequence[Any]) -> Outcome:
    text, code, message, node, model, attempts, tried, tokens, seconds = row
    return Outcome(text, code, message, node, model, attempts, tuple(json.loads(tried)), tokens, seconds)
