from __future__ import annotations

import pytest

from halext.testing.fake import Refusal
from halext.testing.models import FakeModel
from halext.testing.ollama_disk import Disk


def test_names_match_without_case_and_with_latest() -> None:
    disk = Disk(["Mixed", "b:3b"], [], now=1000)
    assert disk.get("mixed")[0].name == "Mixed:latest"
    assert disk.get("MIXED:LATEST")[0].name == "Mixed:latest"
    with pytest.raises(Refusal, match="model 'b' not found"):
        disk.get("b")


def test_rows_come_newest_first() -> None:
    disk = Disk(["a", "b"], [], now=1000)
    assert [model.name for model, _ in disk.rows()] == ["a:latest", "b:latest"]
    disk.add(FakeModel("c"), 1000)
    disk.copy("b", "d", 1001)
    assert [model.name for model, _ in disk.rows()] == ["d:latest", "c:latest", "a:latest", "b:latest"]
    assert disk.get("d")[0].digest == disk.get("b")[0].digest


def test_a_model_is_removed_once() -> None:
    disk = Disk(["a"], [], now=0)
    assert disk.remove("A")
    assert not disk.remove("a")
    assert disk.rows() == []


def test_the_two_words_for_not_found() -> None:
    disk = Disk([], [], now=0)
    with pytest.raises(Refusal, match=r"^model 'x' not found$"):
        disk.find({"model": "x"})
    with pytest.raises(Refusal, match=r'^model "x" not found, try pulling it first$'):
        disk.find({"name": "x"}, trying=True)


def test_the_library_holds_what_can_be_pulled() -> None:
    disk = Disk([], [FakeModel("far", family="gemma")], now=0)
    found = disk.in_library("FAR")
    assert found is not None
    assert found.family == "gemma"
    assert disk.in_library("near") is None
