from __future__ import annotations

import json
from typing import Any

import pytest

from halext.testing.botapi.forms import Form
from halext.testing.botapi.keyboard import read
from halext.testing.fake import Refusal


def keyboard(*rows: list[Any]) -> Form:
    return Form({"reply_markup": json.dumps({"inline_keyboard": rows})})


def button(**fields: Any) -> dict[str, Any]:
    return {"text": "Go", **fields}


def test_keyboards_that_are_fine() -> None:
    rows = [[button(callback_data="é" * 32), button(url="example.org")], [button(copy_text={"text": "x"})]]
    assert read(keyboard(*rows)) == {"inline_keyboard": rows}
    assert read(keyboard([])) is None
    assert read(Form()) is None
    assert read(Form({"reply_markup": {"keyboard": [["a", {"text": "b"}]]}})) == {"keyboard": [["a", {"text": "b"}]]}
    assert read(Form({"reply_markup": {"force_reply": True}})) == {"force_reply": True}


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([[button(callback_data="é" * 33)]], "BUTTON_DATA_INVALID"),
        ([[button(callback_data="")]], "BUTTON_DATA_INVALID"),
        ([[button()]], "Text buttons are unallowed in the inline keyboard"),
        ([["Go"]], "Text buttons are unallowed"),
        ([[{"callback_data": "a"}]], 'Can\'t find field "text"'),
        ([[{"text": " ", "callback_data": "a"}]], "text must be non-empty"),
        ([[button(callback_data="a", url="example.org")]], "one thing only, not callback_data and url"),
        ([[button(url="nowhere")]], "inline keyboard button URL 'nowhere' is invalid"),
        ([[button(callback_data="a")] * 9], "BUTTON_ROW_INVALID"),
        ([[button(callback_data="a")]] * 101, "reply markup is too long"),
        (["Go"], "expected an Array of Arrays"),
    ],
)
def test_keyboards_that_are_not(rows: list[Any], error: str) -> None:
    with pytest.raises(Refusal, match=error):
        read(keyboard(*rows))


def test_edits_take_inline_keyboards_only() -> None:
    with pytest.raises(Refusal, match="inline keyboard expected"):
        read(Form({"reply_markup": {"keyboard": [["a"]]}}), only_inline=True)
