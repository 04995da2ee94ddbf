from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from halext.testing.telegram import FakeTelegram, FloodRules


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(scale=1000, flood=FloodRules(chat_burst=1, chat_per_s=0.001)) as fake:
        yield fake


@pytest.fixture
async def http(telegram: FakeTelegram) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{telegram.base_url}{telegram.token}", verify=False) as client:
        yield client


async def test_names_of_methods_in_any_case_and_by_get(http: httpx.AsyncClient) -> None:
    for path in ("getMe", "GETME"):
        assert (await http.get(path)).json()["result"]["username"] == "halext_bot"
    answer = await http.get("getMe")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/nothing", "/bot/getMe", "/botnonsense/getMe", "/file/bot1:x/y"])
async def test_wrong_addresses(telegram: FakeTelegram, path: str) -> None:
    async with httpx.AsyncClient(base_url=telegram.url, verify=False) as client:
        answer = await client.get(path)
    status = 401 if path.startswith("/file") else 404
    assert (answer.status_code, answer.json()["error_code"], answer.json()["ok"]) == (status, status, False)


async def test_refusals_as_bodies_and_in_the_log(telegram: FakeTelegram, http: httpx.AsyncClient) -> None:
    ada = telegram.user("Ada")
    ada.say("hello")
    answers = [await http.post("sendMessage", json={"chat_id": ada.id, "text": text}) for text in ("one", "two")]
    assert [answer.status_code for answer in answers] == [200, 429]
    body = answers[1].json()
    wait = body["parameters"]["retry_after"]
    assert body["description"] == f"Too Many Requests: retry after {wait:g}"
    call = telegram.made("sendMessage")[1]
    assert (call.status, call.retry_after, call.chat, call.form.text("text")) == (429, wait, ada.id, "two")
    assert call.at <= call.answered_at
    assert [message.text for message in telegram.answers(ada.chat)] == ["one"]


async def test_albums_count_each_file_and_answers_to_buttons_do_not(
    telegram: FakeTelegram, http: httpx.AsyncClient
) -> None:
    ada = telegram.user("Ada")
    ada.say("hello")
    statuses = []
    for method, values in (
        ("sendChatAction", {"action": "typing"}),
        ("sendMessageDraft", {"draft_id": 1, "text": "x"}),
        ("answerCallbackQuery", {"callback_query_id": "x"}),
        ("deleteMessage", {"message_id": 1}),
        ("editMessageText", {"message_id": 1, "text": "x"}),
        ("sendMediaGroup", {"media": [{"type": "photo"}] * 2}),
        ("sendMessage", {"chat_id": 5, "text": "nobody"}),
    ):
        answer = await http.post(method, json={"chat_id": ada.id, **values})
        statuses.append(answer.status_code)
    assert statuses == [200, 429, 400, 200, 429, 429, 400]


async def test_files_are_served_to_the_bot_only(telegram: FakeTelegram, http: httpx.AsyncClient) -> None:
    message = telegram.user("Ada").say(document=("a.txt", b"text"))
    file = (await http.get("getFile", params={"file_id": message.content["document"]["file_id"]})).json()["result"]
    url = f"{telegram.file_url}{telegram.token}/{file['file_path']}"
    telegram.faults.at("file", nth=2, status=404, text="Not Found")
    answers = [await http.get(url), await http.get(url), await http.get(f"{url}x")]
    assert [answer.status_code for answer in answers] == [200, 404, 404]
    assert answers[0].content == b"text"


async def test_bodies_that_cannot_be_read(http: httpx.AsyncClient) -> None:
    answer = await http.post("sendMessage", content=b"{", headers={"content-type": "application/json"})
    assert answer.json()["description"] == "Bad Request: can't parse the body of the request"
