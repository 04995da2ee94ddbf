from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.people import Person
from halext.testing.botapi.world import Press
from halext.testing.clock import ManualClock
from halext.testing.fake import Refusal

Call = Callable[..., Any]
STOP = {"inline_keyboard": [[{"text": "Stop", "callback_data": "s"}]]}
ARTICLE = {"type": "article", "id": "1", "title": "x", "input_message_content": {"message_text": "x"}}


@pytest.fixture
def press(call: Call, ada: Person) -> Press:
    sent = call("sendMessage", chat_id=ada.id, text="x", reply_markup=STOP)
    return ada.press(ada.chat.messages[sent["message_id"]], "Stop")


async def test_a_press_is_answered_once_and_in_time(call: Call, press: Press, ada: Person, clock: ManualClock) -> None:
    assert call("answerCallbackQuery", callback_query_id=press.id, text="ok", show_alert="true")
    assert press.answer == {"text": "ok", "show_alert": True, "url": ""}
    late = ada.press(press.message, "Stop")
    await clock.advance(16)
    for number in (press.id, late.id, "nothing"):
        with pytest.raises(Refusal, match="query is too old and response timeout expired or query ID is invalid"):
            call("answerCallbackQuery", callback_query_id=number)


def test_answers_are_short(call: Call, press: Press) -> None:
    with pytest.raises(Refusal, match="MESSAGE_TOO_LONG"):
        call("answerCallbackQuery", callback_query_id=press.id, text="x" * 201)
    assert press.answer is None


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ([ARTICLE] * 51, "RESULTS_TOO_MUCH"),
        ([ARTICLE, ARTICLE], "RESULT_ID_DUPLICATE"),
        ([{**ARTICLE, "id": ""}], "RESULT_ID_INVALID"),
        ([{**ARTICLE, "id": "x" * 65}], "RESULT_ID_INVALID"),
        ([{"id": "1"}], 'Can\'t find field "type"'),
        ([{"id": "1", "type": "article"}], "an article needs input_message_content"),
        ([{**ARTICLE, "input_message_content": {"message_text": " "}}], "message text is empty"),
        ([{**ARTICLE, "input_message_content": {"message_text": "*", "parse_mode": "MarkdownV2"}}], "Can't find end"),
    ],
)
def test_results_that_are_refused(call: Call, ada: Person, results: list[dict[str, Any]], error: str) -> None:
    query = ada.query("why")
    with pytest.raises(Refusal, match=error):
        call("answerInlineQuery", inline_query_id=query.id, results=results)
    assert query.results is None


def test_results_of_other_kinds(call: Call, ada: Person) -> None:
    query = ada.query("w" * 300)
    assert len(query.text) == 256
    rich = {"type": "article", "id": "2", "input_message_content": {"rich_message": {"markdown": "# x"}}}
    photo = {"type": "photo", "id": "3", "caption": "<b>y</b>", "parse_mode": "HTML"}
    assert call("answerInlineQuery", inline_query_id=query.id, results=[ARTICLE, rich, photo])
    assert [ada.choose(query, number).text for number in range(3)] == ["x", "x", "y"]
    with pytest.raises(Refusal, match="query is too old"):
        call("answerInlineQuery", inline_query_id=query.id, results=[])
