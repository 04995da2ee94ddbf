"""Alive, and able to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.web.conftest import House


async def test_alive_and_ready(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/healthz")).text == "ok\n"
    assert (await stranger.get("/readyz")).text == "ready\n"


async def test_without_its_database_it_is_alive_but_not_ready(
    house: House, stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise TimeoutError

    monkeypatch.setattr(type(house.app.database), "ping", lambda self: away())
    assert (await stranger.get("/healthz")).status_code == 200
    answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


async def token_of_ada(house: House, *scopes: str) -> str:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    token, _ = await house.app.people.create_token(
        await house.app.people.caller_for(session), "prometheus", scopes=[*scopes]
    )
    return token


async def test_a_scrape_with_a_token_as_bearer_or_as_password(house: House, member: httpx.AsyncClient) -> None:
    asked = {"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await member.post("/api/chat", json=asked)).status_code == 200
    token = await token_of_ada(house, "see-house")
    async with house.client({"Authorization": f"Bearer {token}"}) as prometheus:
        answer = await prometheus.get("/metrics")
        assert (await prometheus.get("/hx/tokens")).status_code == 403  # it can do nothing else
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["halext_requests_total", "chat", "done"] == 1
    assert found["halext_model_tokens_total", "llama3.2:3b", "prompt"] == 7
    assert found["halext_node_requests_total", "mac", "done"] == 1
    assert found["halext_request_duration_seconds_count", "chat"] == 1
    assert found["halext_endpoint_up", "mac/ollama", "ollama", "mac"] == 1
    assert found["halext_database_up",] == 1
    async with house.client({}) as other:
        assert (await other.get("/metrics", auth=("anyone", token))).status_code == 200


async def test_nobody_else_may_scrape(house: House, stranger: httpx.AsyncClient, member: httpx.AsyncClient) -> None:
    assert (await stranger.get("/metrics")).status_code == 401
    assert (await stranger.get("/metrics", auth=("x", "hx_wrong"))).status_code == 401
    refused = await member.get("/metrics")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "halext_requests" not in refused.text
    other = await token_of_ada(house, "use", "own")  # an administrator's, without the right
    async with house.client({"Authorization": f"Bearer {other}"}) as client:
        assert (await client.get("/metrics")).status_code == 403
