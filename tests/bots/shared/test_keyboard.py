from __future__ import annotations

import pytest

from halext.commands.types import Button
from halext_bots.shared.keyboard import rows


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [2, 2]), (5, [2, 2, 1]), (10, [2] * 5)])
def test_a_few_stand_in_one_row_and_more_in_pairs(count: int, sizes: list[int]) -> None:
    buttons = [Button(str(number), f"why {number}") for number in range(count)]
    made = rows(buttons)
    assert [len(row) for row in made] == sizes
    assert [button for row in made for button in row] == buttons
