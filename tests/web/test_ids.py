from __future__ import annotations

import pytest

from halext_web.ids import LARGEST, NOBODYS, number


@pytest.mark.parametrize("text", ["1", "42", str(LARGEST)])
def test_a_number_is_itself(text: str) -> None:
    assert number(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", " 1", "01", "1.0", "1e3", "1_0", "٣", "x", "'", str(LARGEST + 1), "9" * 5000, "\0"]
)
def test_everything_else_is_nobodys(text: str) -> None:
    assert number(text) == NOBODYS
