"""Attack 37: words from outside that forge a line of the log, colour or retitle the terminal of whoever reads it, turn
the direction of writing, or make a spreadsheet calculate."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL
from halext.cli.audit import write_csv
from halext.errors import Unreachable
from halext.runtime import log
from halext.runtime.present import audit_entry
from tests.web.conftest import House

EVIL = "x\r\n2026-01-01T00:00:00Z [error    ] all is lost\x1b[31m\x1b]0;pwned\x07\u202e\u2028\x85=1+1"


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that is set up as `halext up` writes."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(request.param, "debug")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook


async def say_everything(house: House, member: httpx.AsyncClient) -> None:
    """Get the words into everything that is written down."""
    await member.get(f"/{quote(EVIL)}")
    await member.get("/hx/me", headers={"User-Agent": "a\x1b[31m", "X-Halext-Node": "\x1b[31m"})
    await member.post("/api/chat", json={"model": EVIL, "messages": [{"role": "user", "content": EVIL}]})
    await member.post("/v1/chat/completions", json={"model": EVIL, "messages": [{"role": "user", "content": EVIL}]})
    await member.delete(f"/hx/tokens/{quote(EVIL, safe='')}")
    await member.post("/hx/tokens", json={"name": EVIL})
    await member.request("DELETE", f"/hx/links/{quote(EVIL, safe='')}/{quote(EVIL, safe='')}")
    await member.post("/hx/session", json={"name": EVIL, "password": EVIL})
    (state,) = house.app.registry.states()
    for _ in range(3):
        house.app.registry.missed(state.endpoint.id, Unreachable(EVIL, node="mac"))
    try:
        raise ValueError(EVIL) from Unreachable(EVIL)
    except ValueError:
        logging.getLogger("halext.web").exception("request %s failed", EVIL, extra={"path": EVIL, "names": [EVIL]})


async def test_one_event_is_one_line_and_nothing_speaks_to_the_terminal(
    house: House, member: httpx.AsyncClient, lines: io.StringIO
) -> None:
    await say_everything(house, member)
    text = lines.getvalue()
    assert "all is lost" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    for line in filter(None, text.split("\n")):
        assert not line.startswith("2026-01-01")
        if line.startswith("{"):
            assert json.loads(line)["event"]


async def test_the_audit_log_and_its_spreadsheet_hold_harmless_signs(
    house: House, member: httpx.AsyncClient, tmp_path: Path
) -> None:
    await say_everything(house, member)
    for formula in ("=1+1", "+1", "-1", "@A1"):
        await member.request("DELETE", f"/hx/links/{quote(formula)}/x")
    await house.app.audit.close()
    found = await house.app.audit.page(LOCAL, Query(limit=1000))
    assert len(found) > 5
    assert all(text.isprintable() for entry in found for text in (entry.subject, entry.name, repr(entry.details)))
    write_csv(tmp_path / "a.csv", [audit_entry(entry) for entry in found])
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == len(found) + 1
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)
    assert any("'=1+1" in cell for row in rows for cell in row)
