from __future__ import annotations

from typing import Any

import pytest

from halext.testing.botapi.rich import children, flat, plain, read
from halext.testing.fake import Refusal

PARAGRAPH = {"type": "paragraph", "text": "x"}


def nested(depth: int) -> dict[str, Any]:
    block: dict[str, Any] = PARAGRAPH
    for _ in range(depth - 1):
        block = {"type": "blockquote", "blocks": [block]}
    return block


def test_three_ways_to_say_the_same() -> None:
    blocks = [{"type": "heading", "text": "Rain", "size": 1}, {"type": "paragraph", "text": "It pours."}]
    for message in ({"markdown": "# Rain\n\nIt pours."}, {"html": "<h1>Rain</h1><p>It pours.</p>"}, {"blocks": blocks}):
        assert read(message) == {"blocks": blocks}
    assert plain({"blocks": blocks}) == "Rain\nIt pours."


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"markdown": "x", "html": "x"}, "exactly one"),
        ({"markdown": " "}, "rich message is empty"),
        ({"html": "<x>"}, 'can\'t parse rich message: Unsupported start tag "x"'),
        ({"blocks": ["x"]}, "blocks must be an Array of Objects"),
        ({"blocks": [{"type": "poem"}]}, "unknown block type 'poem'"),
        ({"blocks": [{"type": "thinking", "text": "x"}]}, "thinking blocks are allowed in drafts only"),
        ({"markdown": "x" * 32_769}, "too many characters: 32769, and 32768 are allowed"),
        ({"blocks": [PARAGRAPH] * 501}, "too many blocks"),
        ({"blocks": [nested(17)]}, "too many levels"),
        ({"blocks": [{"type": "photo"}] * 51}, "too many media"),
        ({"blocks": [{"type": "table", "cells": [[{"text": "x"}] * 21]}]}, "too many table columns"),
    ],
)
def test_messages_that_are_refused(message: dict[str, Any], error: str) -> None:
    with pytest.raises(Refusal, match=error):
        read(message)


def test_limits_can_be_reached() -> None:
    assert read({"blocks": [nested(16), {"type": "table", "cells": [[{"text": "x"}] * 20]}]})
    assert read({"html": "<tg-thinking>hm</tg-thinking>"}, may_think=True)["blocks"][0]["type"] == "thinking"


def test_words_of_every_block() -> None:
    table = {"type": "table", "cells": [[{"text": "a"}, {"text": ["b", {"type": "bold", "text": "c"}]}]]}
    items = {"type": "list", "items": [{"label": "1.", "blocks": [PARAGRAPH]}]}
    assert plain({"blocks": [table, items, {"type": "divider"}]}) == "a\tbc\nx"
    assert list(children(items)) == [PARAGRAPH]
    assert flat({"type": "mathematical_expression", "expression": "x^2"}) == "x^2"
