"""The API in words."""

from __future__ import annotations

from typing import Any, Literal

import httpx
import pytest

from halext.runtime.shapes import NodeInfo
from halext_web.api.hx import operations
from halext_web.pages.docs import type_name


async def test_every_operation_is_on_the_page(member: httpx.AsyncClient) -> None:
    page = (await member.get("/hx/docs")).text
    for entry in operations():
        assert f"<span>{entry.method}</span> {entry.path}" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (str, "text"),
        (float | None, "number or null"),
        (list[NodeInfo], "list[NodeInfo]"),
        (dict[str, str], "dict[text, text]"),
        (Literal["a", "b"], "one of 'a', 'b'"),
        (NodeInfo, "NodeInfo"),
        (bool, "true or false"),
    ],
)
def test_types_in_words(kind: Any, name: str) -> None:
    assert type_name(kind) == name
