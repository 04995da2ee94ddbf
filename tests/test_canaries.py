"""The search for secrets finds them: one deliberate leak for every place that is searched."""

from __future__ import annotations

import logging
import warnings
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from halext.accounts import tokens
from halext.runtime import masterkey
from halext.storage.engine import Database
from halext.vault.cipher import Cipher
from tests import canaries


@pytest.fixture
def secret() -> str:
    return tokens.make("token")


def test_what_is_made_has_a_mark_and_is_as_good_as_any() -> None:
    made = {tokens.make("session") for _ in range(50)}
    assert len(made) == 50
    assert all(canaries.MARK in one and tokens.purpose_of(one) == "session" for one in made)
    assert canaries.MARK not in tokens.hint(tokens.make("token"))
    assert canaries.MARK in vars(masterkey)["new_key"]()
    Cipher((vars(masterkey)["new_key"](),))


def test_a_leak_into_a_line_of_the_log(secret: str) -> None:
    logging.getLogger("leaky").warning("who has %s", secret)
    assert "the log of leaky: a secret with the mark 'CaNaRy7q'" in canaries.take()


def test_a_leak_into_a_traceback(secret: str) -> None:
    try:
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise ValueError("harmless") from error
    except ValueError:
        logging.getLogger("leaky").exception("harmless")
    assert canaries.take()


def test_a_leak_that_our_formatter_does_not_hide() -> None:
    logging.getLogger("leaky").warning("harmless", extra={"what": canaries.PASSWORDS[0]})
    assert canaries.take() == ["the log of leaky, formatted: a secret with the mark 'battery staple'"]


def test_a_leak_into_a_warning(secret: str) -> None:
    with pytest.warns(UserWarning, match="who has"):
        warnings.warn(f"who has {secret}", UserWarning, stacklevel=1)
    assert canaries.take()


@pytest.mark.parametrize(
    ("path", "place", "is_found"),
    [
        ("/hx/me", "body", True),
        ("/hx/me", "headers", True),
        ("/hx/tokens", "body", False),
        ("/hx/tokens", "headers", True),
        ("/hx/session", "headers", False),
        ("/hx/session", "body", True),
    ],
)
async def test_a_leak_into_an_answer(secret: str, path: str, place: str, is_found: bool) -> None:
    async def leaky(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        header = (b"x-leak", secret.encode()) if place == "headers" else (b"x", b"y")
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        if place == "body":
            for part in (b"who has ", secret[:7].encode(), secret[7:].encode()):  # cut in the middle of the mark
                await send({"type": "http.response.body", "body": part, "more_body": True})

    async def nobody(*_: Any) -> None:
        pass

    await canaries.watched(leaky)({"type": "http", "method": "POST", "path": path}, nobody, nobody)
    assert bool(canaries.take()) is is_found


@dataclass
class Leaky:
    """Shows what it holds."""

    key: str
    local_token: str | None = None


def test_a_leak_into_a_repr(secret: str) -> None:
    canaries.look_at_objects(Leaky(secret))
    assert canaries.take()


async def test_a_leak_into_a_database(database: Database, secret: str) -> None:
    async with database.writer.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO secrets (ref, kind, sealed, key_id, created_at, updated_at)"
                " VALUES ('x', 'bot', :s, 'k', 0, 0)"
            ),
            {"s": secret},
        )
    if database.path is None:
        await canaries.look_at_postgresql(database)
        assert canaries.take() == ["the table secrets: a secret with a mark"]
        async with database.writer.begin() as connection:
            await connection.execute(text("DELETE FROM secrets"))
    else:
        await database.close()
        assert canaries.take()
        database.path.unlink()


def test_a_secret_that_got_out_fails_the_test(secret: str) -> None:
    watching = canaries.canaries.__wrapped__()  # type: ignore[attr-defined]
    next(watching)
    logging.getLogger("leaky").warning("who has %s", secret)
    with pytest.raises(pytest.fail.Exception, match="secrets have got out: the log of leaky"):
        next(watching)
