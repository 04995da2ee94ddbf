"""Columns that stand under each other."""

from __future__ import annotations

from halext_bots.shared.lines import Line, Run, lay_out
from halext_bots.shared.reading import read
from halext_bots.shared.tables import PADDED_MAX, aligned, screen_width


def test_columns() -> None:
    lines = lay_out(read("| a | b | c |\n|---|--:|:-:|\n| 1 | two | x |\n| 你好 | 4 | yyy | more |"))
    assert aligned(lines) == [
        "a    |   b |  c  |",
        "-----+-----+-----+-----",
        "1    | two |  x  |",
        "你好 |   4 | yyy | more",
    ]


def test_a_part_of_a_table_has_columns_of_its_own() -> None:
    lines = lay_out(read("| a | b |\n|---|---|\n| " + "x" * 20 + " | 2 |\n| 3 | 4 |"))
    assert aligned(lines[2:]) == ["3 | 4"]


def test_a_long_cell_pads_nobody_beyond_reason() -> None:
    drawn = aligned([Line((Run("x" * 100), Run("1")), "row"), Line((Run("y"), Run("2")), "row")])
    assert drawn[1] == "y" + " " * (PADDED_MAX - 1) + " | 2"


def test_width() -> None:
    assert screen_width("e\u0301你a\u200b") == 4
