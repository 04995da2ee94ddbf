"""What map goes over, and the shape in which values go back."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # it brings no types along
import pytest

from halext.client.items import Items
from halext.errors import InvalidInput, MissingExtra


def generated() -> Iterator[str]:
    yield from "abc"


@pytest.mark.parametrize(
    ("source", "total", "items"),
    [
        (["a", "b"], 2, ["a", "b"]),
        (("a",), 1, ["a"]),
        (np.array([1, 2]), 2, [1, 2]),
        (pd.Series(["a", "b"], index=[7, 9]), 2, ["a", "b"]),
        (pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), 2, [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]),
        ({"a": 1, "b": 2}.values(), 2, [1, 2]),
        (generated(), None, ["a", "b", "c"]),
        ([], 0, []),
    ],
    ids=["list", "tuple", "array", "series", "frame", "view", "generator", "empty"],
)
def test_what_can_be_gone_over(source: Any, total: int | None, items: list[Any]) -> None:
    found = Items(source)
    assert found.total == total
    assert list(found.take(10)) == items
    assert (found.total, found.taken) == (len(items), len(items))
    assert list(found.take(10)) == []


def test_no_more_is_read_than_asked_for() -> None:
    read: list[int] = []

    def counted() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    items = Items(counted())
    items.take(3)
    assert read == [0, 1, 2]
    assert items.total is None


def test_the_index_comes_back() -> None:
    series = pd.Series(["x", "y"], index=["first", "second"])
    shaped = Items(series).shaped([{"a": 1}, None])
    assert list(shaped.index) == ["first", "second"]
    assert shaped["first"] == {"a": 1}
    assert Items(series).labels(1) == "second"
    assert list(Items(series).framed([{"v": 1}, {"v": 2}], ["v"]).index) == ["first", "second"]


def test_without_an_index_values_stay_a_list() -> None:
    assert Items(["x"]).shaped([1]) == [1]
    assert Items(["x"]).labels(0) == 0


def test_one_text_is_a_mistake() -> None:
    with pytest.raises(InvalidInput, match="use ask"):
        Items("a review")


def test_without_pandas_lists_work_and_frames_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert Items(["x"]).shaped([1]) == [1]
    with pytest.raises(MissingExtra, match="notebook"):
        Items(["x"]).framed([{}], [])
