from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from halext.testing.webhooks import FakeWebhooks, read_discord, read_slack

QUIET: dict[str, Any] = {"allowed_mentions": {"parse": []}}


@pytest.fixture
async def hooks() -> AsyncIterator[FakeWebhooks]:
    async with FakeWebhooks() as fake:
        yield fake


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


async def test_slack_says_ok_and_nothing_else(hooks: FakeWebhooks, client: httpx.AsyncClient) -> None:
    answer = await client.post(hooks.slack_url, json={"text": "*hi* <!channel> &lt;b&gt;"})
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = hooks.messages
    assert message.shown == "*hi* <!channel> <b>"
    assert message.signs == ["<!channel>", "*", "*"]


@pytest.mark.parametrize(
    "fields", [{}, {"text": ""}, {"text": 5}, {"text": "x" * 40_001}, {"text": "x", "surprise": 1}, {"content": "x"}]
)
async def test_slack_is_strict(hooks: FakeWebhooks, client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    answer = await client.post(hooks.slack_url, json=fields)
    assert (answer.status_code, answer.text) == (400, "invalid_payload")
    assert (await client.post(hooks.slack_url, data={"payload": "{}"})).status_code == 400
    assert (await client.get(hooks.slack_url)).status_code == 400
    assert (await client.post(f"{hooks.slack_url}x", json={"text": "x"})).status_code == 404
    assert hooks.messages == []


async def test_discord_names_its_messages_when_asked_to_wait(hooks: FakeWebhooks, client: httpx.AsyncClient) -> None:
    silent = await client.post(hooks.discord_url, json={"content": "@everyone"})
    assert (silent.status_code, silent.content) == (204, b"")
    assert hooks.messages[0].pinged == ["@everyone"]
    named = (await client.post(f"{hooks.discord_url}?wait=true", json={"content": "a", **QUIET})).json()
    changed = await client.patch(f"{hooks.discord_url}/messages/{named['id']}", json={"content": "b", **QUIET})
    assert changed.json()["id"] == named["id"]
    assert (hooks.messages[1].shown, hooks.messages[1].before, hooks.messages[1].pinged) == ("b", ["a"], [])
    assert await hooks.wait_for(messages=2, changes=1) == hooks.messages


@pytest.mark.parametrize(
    ("method", "tail", "fields", "status", "code"),
    [
        ("POST", "", {}, 400, 50_035),
        ("POST", "", {"content": "x" * 2_001}, 400, 50_035),
        ("POST", "", {"content": "x", "surprise": 1}, 400, 50_035),
        ("PUT", "", {"content": "x"}, 405, 0),
        ("PATCH", "/messages/5", {"content": "x"}, 404, 10_008),
        ("POST", "x", {"content": "x"}, 401, 50_027),
    ],
)
async def test_discord_is_strict(
    hooks: FakeWebhooks,
    client: httpx.AsyncClient,
    method: str,
    tail: str,
    fields: dict[str, Any],
    status: int,
    code: int,
) -> None:
    answer = await client.request(method, hooks.discord_url + tail, json=fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert hooks.messages == []


async def test_what_was_removed_is_unknown(hooks: FakeWebhooks, client: httpx.AsyncClient) -> None:
    hooks.is_removed = True
    assert (await client.post(hooks.slack_url, json={"text": "x"})).text == "no_service"
    assert (await client.post(hooks.discord_url, json={"content": "x"})).json()["code"] == 10_015


async def test_faults_come_in_order_and_then_it_works(hooks: FakeWebhooks, client: httpx.AsyncClient) -> None:
    hooks.fail("cut")
    hooks.fail("cut-after")
    hooks.fail("status", 429, body=b"slow", Retry_After="7")
    hooks.fail("hang")
    for shown in (0, 1):
        with pytest.raises(httpx.TransportError):
            await client.post(hooks.slack_url, json={"text": "x"})
        assert len(hooks.messages) == shown
    busy = await client.post(hooks.slack_url, json={"text": "x"})
    assert (busy.status_code, busy.headers["retry-after"], busy.content) == (429, "7", b"slow")
    with pytest.raises(httpx.ReadTimeout):
        await client.post(hooks.slack_url, json={"text": "x"}, timeout=0.1)
    assert (await client.post(hooks.slack_url, json={"text": "x"})).text == "ok"
    await hooks.kill()
    with pytest.raises(httpx.TransportError):
        await client.post(hooks.slack_url, json={"text": "x"})
    await hooks.start()
    assert (await client.post(hooks.slack_url, json={"text": "x"})).text == "ok"
    assert len(hooks.messages) == 3


@pytest.mark.parametrize(
    ("content", "shown", "signs"),
    [
        ("plain text, 5 > 4", "plain text, 5 > 4", [">"]),
        (r"\*a\* \\ \@everyone", r"*a* \ @everyone", []),
        ("@\u200beveryone", "@everyone", []),
        ("@everyone <@1> <@&2>", "@everyone <@1> <@&2>", ["@everyone", "<@1>", "<", ">", "<@&2>"]),
        (r"http:\//a.b", "http://a.b", []),
        ("http://a.b", "http://a.b", ["http://a"]),
        (r"C:\new", r"C:\new", []),
    ],
)
def test_how_discord_reads(content: str, shown: str, signs: list[str]) -> None:
    found_shown, found = read_discord(content)
    assert found_shown == shown
    assert set(signs) - {"<"} <= set(found)
    assert bool(found) is bool(signs)


def test_how_slack_reads() -> None:
    assert read_slack("&lt;!channel&gt; &amp; *b*", is_plain=True) == ("<!channel> & *b*", [])
    assert read_slack("*b*", is_plain=False) == ("*b*", ["*", "*"])
    assert read_slack("a < b &gt; c", is_plain=True)[1] == ["<"]
    assert read_slack("a & <@U1> http://x.y", is_plain=True)[1] == ["&", "<@U1>", "http://x"]
