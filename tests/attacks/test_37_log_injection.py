"""Attack 37: words from outside that forge a line of the log, colour or retitle the terminal of whoever reads it, turn
the direction of writing, or make a spreadsheet calculate; and new names without end, so that whoever collects metrics
drowns in them."""

from __future__ import annotations

import csv
import io
import json
import logging
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL
from halext.cli.audit import write_csv
from halext.errors import HalextError, Unreachable
from halext.gateway.types import Ask
from halext.messages import ChatRequest, Message
from halext.runtime import log
from halext.runtime.metrics.types import SERIES_MAX
from halext.runtime.present import audit_entry
from halext.types import ModelName
from halext.upstream import ModelInfo, Sighting
from tests.canaries import MARKS
from tests.web.conftest import MODEL, House

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


async def scraped(house: House) -> str:
    """What Prometheus is told."""
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    token, _ = await house.app.people.create_token(
        await house.app.people.caller_for(session), "prometheus", scopes=["see-house"]
    )
    async with house.client({"Authorization": f"Bearer {token}"}) as prometheus:
        answer = await prometheus.get("/metrics")
        assert answer.status_code == 200
        return answer.text


async def asked(house: House, model: str) -> None:
    """One request at the gateway, as every door makes it."""
    message = Message("user", "Hi")
    ask = Ask(house.app.gateway.new_id(), LOCAL, ChatRequest(ModelName(model), (message,)))
    with suppress(HalextError):
        async for _ in house.app.gateway.generate(ask):
            pass


def series(text: str) -> dict[str, list[dict[str, str]]]:
    """The labels of every series, by metric; the parser is strict."""
    families = text_string_to_metric_families(text)
    return {family.name: [sample.labels for sample in family.samples] for family in families}


async def test_ten_thousand_names_make_a_handful_of_series(house: House, member: httpx.AsyncClient) -> None:
    names = [f"{secrets.token_hex(8)}:{number}" for number in range(10_000)]
    for name in names[:50]:
        await member.post("/api/chat", json={"model": name, "messages": [{"role": "user", "content": "Hi"}]})
    for name in names:
        await asked(house, name)
    found = series(await scraped(house))
    assert found["halext_model_requests"] == [{"model": "other", "outcome": "refused"}]
    assert max(map(len, found.values())) < 40


async def test_a_node_that_tells_ten_thousand_models_floods_nobody(house: House, member: httpx.AsyncClient) -> None:
    (state,) = house.app.registry.states()
    told = [EVIL, "x" * 5000, 'a"} 1\nhalext_forged 1', *(f"flood-{number}" for number in range(10_000))]
    models = tuple(ModelInfo(ModelName(name), capabilities=frozenset({"chat"})) for name in told)
    house.app.registry.saw(state.endpoint.id, Sighting(models=models), asked_at=house.app.clock.now())
    for name in told[:600]:
        await asked(house, name)
    text = await scraped(house)
    found = series(text)
    assert max(map(len, found.values())) <= SERIES_MAX
    assert len(found["halext_model_requests"]) > SERIES_MAX / 2  # they were really answered
    assert {"model": "other", "outcome": "done"} in found["halext_model_requests"]
    assert len(text) < 100_000
    assert "halext_forged" not in found
    assert all(character.isprintable() or character == "\n" for character in text)


async def test_metrics_hold_no_secret_and_nobodys_name(house: House, member: httpx.AsyncClient) -> None:
    words = "a question that is nobody's business"
    asked = {"model": MODEL, "messages": [{"role": "user", "content": words}]}
    assert (await member.post("/api/chat", json=asked)).status_code == 200
    await say_everything(house, member)
    text = await scraped(house)
    assert "halext_model_requests_total" in text
    shown = [*MARKS, house.token, "Mia", "Ada", words, "all is lost", "127.0.0.1", str(house.app.settings.data_dir)]
    assert [word for word in shown if word.lower() in text.lower()] == []
