"""Every secret that the tests make carries a mark, and wherever a secret has no business the mark is looked for.

Looked through are: every log record, as our formatter and as plain logging would write it, tracebacks included; every
warning; headers and bodies of every answer of the web door, but where a secret is shown once; `repr()` of what a house
is made of; and every database when it is closed. A mark that is found fails the test that was running.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from halext.accounts import tokens
from halext.runtime import log, masterkey
from halext.runtime.redaction import HIDDEN
from halext.storage.engine import Database
from halext.testing import discord, telegram
from halext.vault import cipher
from halext_web import service

MARK = "CaNaRy7q"
"""Longer than what the hint of a token shows of it. As a text of base64 it is as good as any other."""
PASSWORDS = ("battery staple", "correct horse")
"""What people of the tests sign in with."""
LOCAL = "local-secret-of-this-machine"
BOTS = (telegram.TOKEN, telegram.NEW_TOKEN, discord.TOKEN)
MARKS = [MARK, *PASSWORDS, LOCAL, *BOTS]

SHOWN_ONCE = {
    ("POST", "/hx/tokens"): "body",  # a new API token
    ("POST", "/hx/admin/invites"): "body",  # the link of a new invite
    ("POST", "/hx/invites/claim"): "headers body",  # the session's cookie; the form comes back with its code
    ("POST", "/account"): "body",  # the link of a new invite, on the page
    ("POST", "/hx/session"): "headers",  # the session's cookie
    ("POST", "/hx/first-admin"): "headers body",  # the same; the form comes back with its code
    ("GET", "/welcome"): "headers body",  # the code moves from the link into a cookie, and into the form
}
"""Where a secret may be in an answer. This list only grows for a new secret that is shown once."""

hits: list[str] = []
"""Where marks were found, without what was around them: that is a secret."""
_plain = logging.Formatter("%(message)s")
_ours = log.formatter("json")
_ORDINARY = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


def take() -> list[str]:
    """What was found since the last time."""
    found = hits[:]
    hits.clear()
    return found


def look(where: str, what: str | bytes) -> None:
    """Search one thing."""
    for mark in MARKS:
        if (mark in what) if isinstance(what, str) else (mark.encode() in what):
            hits.append(f"{where}: a secret with the mark {mark!r}")


def plant(secret: str = "") -> str:
    """A secret with a mark, for whatever has none of its own."""
    return f"{MARK}{secret or secrets.token_urlsafe(12)}"


# --- making ---


def _make(purpose: tokens.Purpose) -> str:
    return tokens.PREFIXES[purpose] + MARK + secrets.token_urlsafe(tokens.RANDOM_BYTES)[len(MARK) :]


def new_key() -> str:
    """A master key with a mark."""
    return MARK + cipher.new_key()[len(MARK) :]


# --- looking ---


def _look_at_record(record: logging.LogRecord) -> None:
    where = f"the log of {record.name}"
    try:
        # Copies: what one formatter keeps in a record, the next one would use.
        look(where, _plain.format(logging.makeLogRecord(record.__dict__)))
    except Exception:  # noqa: BLE001  (a record that can't be formatted is for whoever tests that)
        return
    if record.__dict__.keys() - _ORDINARY:  # else ours has nothing that the plain one has not
        look(f"{where}, formatted", _ours.format(logging.makeLogRecord(record.__dict__)))


def _seen_by_log(original: Callable[[logging.Logger, logging.LogRecord], None]) -> Callable[..., None]:
    @wraps(original)
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        _look_at_record(record)
        original(self, record)

    return call_handlers


def _seen_by_warnings(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def warn(message: Any, category: Any = None, stacklevel: int = 1, *args: Any, **more: Any) -> None:
        look("a warning", str(message))
        original(message, category, stacklevel + 1, *args, **more)

    return warn


def watched(app: Any) -> Any:
    """An ASGI app whose answers are searched."""

    async def watching(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        where = f"{scope.get('method')} {scope.get('path')}"
        allowed = SHOWN_ONCE.get((scope.get("method", ""), scope.get("path", "")), "")
        tail = b""

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal tail
            if message["type"] == "http.response.start" and "headers" not in allowed:
                look(f"the headers of {where}", repr(message.get("headers")))
            if message["type"] == "http.response.body" and "body" not in allowed:
                body = tail + bytes(message.get("body", b""))
                look(f"the body of {where}", body)
                tail = body[-max(map(len, MARKS)) :]
            await send(message)

        await app(scope, receive, sending)

    return watching


def look_at_objects(app: Any) -> None:
    """Search how a house and everything in it shows itself."""
    look("repr of the app", repr(app))
    for field in dataclasses.fields(app):
        value = getattr(app, field.name)
        if field.name != "local_token":  # a text and nothing else; the app does not show it
            look(f"repr of app.{field.name}", repr(value))
            for name, inner in getattr(value, "__dict__", {}).items():
                if not isinstance(inner, str):
                    look(f"repr of app.{field.name}.{name}", repr(inner))


def look_at_file(path: Path) -> None:
    """Search a SQLite file and what is not in it yet."""
    for file in (path, path.with_name(path.name + "-wal")):
        if file.is_file():
            look(f"the database {file.name}", file.read_bytes())


async def look_at_postgresql(database: Database) -> None:
    """Search every row of every table."""
    tables = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    marks = " OR ".join(f"t::text LIKE '%{mark}%'" for mark in MARKS)
    async with database.reader.connect() as connection:
        names = (await connection.execute(tables)).scalars().all()
        every = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name} t WHERE {marks})" for name in names
        )
        found = (await connection.execute(text(every))).scalars().all() if every else []
    hits.extend(f"the table {name}: a secret with a mark" for name in found)


def _seen_at_close(original: Callable[[Database], Any]) -> Callable[[Database], Any]:
    @wraps(original)
    async def close(self: Database) -> None:
        if self.path is not None:
            look_at_file(self.path)
        await original(self)

    return close


def set_out() -> None:
    """Begin to mark and to look; once for each process that runs tests."""
    assert HIDDEN not in MARKS
    tokens.make = _make
    vars(masterkey)["new_key"] = new_key
    logging.Logger.callHandlers = _seen_by_log(logging.Logger.callHandlers)  # type: ignore[method-assign]
    warnings.warn = _seen_by_warnings(warnings.warn)
    setattr(Database, "close", _seen_at_close(Database.close))  # noqa: B010  (its type is that of a bound method)
    build = vars(service)["build"]
    vars(service)["build"] = lambda app: watched(build(app))


@pytest.fixture(autouse=True)
def canaries() -> Iterator[None]:
    """Fails the test in which a secret came to where it should not be."""
    yield
    if found := take():
        pytest.fail("secrets have got out: " + "; ".join(dict.fromkeys(found)), pytrace=False)
