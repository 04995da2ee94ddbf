from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.rich import flat
from halext.testing.botapi.rich_markdown import blocks_of_markdown, inline


def kinds(source: str) -> list[str]:
    return [block["type"] for block in blocks_of_markdown(source)]


def test_blocks() -> None:
    source = "# A\n\ntext\nmore\n\n---\n> quote\n> > inner\n\n```py\nx = 1\n```\n"
    source += "| a | b |\n|---|---|\n| 1 | 2 |\n\n```math\nx\n```"
    expected = ["heading", "paragraph", "divider", "blockquote", "pre", "table", "mathematical_expression"]
    assert kinds(source) == expected
    blocks = blocks_of_markdown(source)
    assert blocks[1]["text"] == "text\nmore"
    assert [block["type"] for block in blocks[3]["blocks"]] == ["paragraph", "blockquote"]
    assert blocks[4] == {"type": "pre", "text": "x = 1", "language": "py"}
    assert blocks[5]["cells"] == [
        [{"text": "a", "is_header": True}, {"text": "b", "is_header": True}],
        [{"text": "1"}, {"text": "2"}],
    ]


def test_lists() -> None:
    [block] = blocks_of_markdown("1. one\n2. two\n   - [x] done\n   - [ ] open\n\n   after")
    first, second = block["items"]
    assert (first["label"], first["blocks"][0]["text"]) == ("1.", "one")
    inner = second["blocks"][1]["items"]
    assert [item["is_checked"] for item in inner] == [True, False]
    assert second["blocks"][2]["text"] == "after"
    assert len(blocks_of_markdown("- a\n\nb")) == 2


def test_an_open_fence_goes_to_the_end() -> None:
    assert blocks_of_markdown("~~~\na\n\nb") == [{"type": "pre", "text": "a\n\nb"}]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("**b** _i_", [{"type": "bold", "text": "b"}, " ", {"type": "italic", "text": "i"}]),
        ("~~s~~", {"type": "strikethrough", "text": "s"}),
        ("||h||", {"type": "spoiler", "text": "h"}),
        ("`a*b*`", {"type": "code", "text": "a*b*"}),
        ("$x^2$", {"type": "mathematical_expression", "expression": "x^2"}),
        ("[a](https://x.org)", {"type": "url", "text": "a", "url": "https://x.org"}),
        ("a\\*b", ["a", "*", "b"]),
        ("snake_case_name 2*3", "snake_case_name 2*3"),
    ],
)
def test_inline(source: str, text: Any) -> None:
    assert inline(source) == text


@given(st.text(st.sampled_from("ab é\n#->|`*_~$[]()1.\\"), max_size=40))
def test_anything_is_read(source: str) -> None:
    for block in blocks_of_markdown(source):
        assert block["type"]
        flat(block.get("text", ""))
