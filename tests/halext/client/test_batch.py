"""Where a map keeps its answers, and what it refuses before it begins or at the first look."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from halext.client.batch import SHARED, keeping
from halext.client.book import Book
from halext.client.sync import Client
from halext.errors import AlreadyRunning, Conflict, InvalidInput, UnknownModel
from halext.testing.models import FakeModel

if TYPE_CHECKING:
    from tests.halext.client.conftest import Place

MODEL = "llama3.2:3b"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 81, "ä"])
def test_names_are_names_of_files(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        keeping(name, None, "read")


def test_what_contradicts_itself() -> None:
    with pytest.raises(InvalidInput, match="keeps its answers"):
        keeping("x", None, "off")
    with pytest.raises(InvalidInput, match="'refresh'"):
        keeping(None, None, "sometimes")


def test_where_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_DATA_DIR", str(tmp_path))
    assert keeping("x", None, "read").path() == tmp_path / "map" / "x.job"
    assert keeping("x", tmp_path / "here", "read").path() == tmp_path / "here" / "x.job"
    assert keeping(None, None, "refresh").path() == tmp_path / "map" / SHARED
    assert keeping(None, None, "off").path() is None


async def test_the_data_directory_is_used_and_is_private(
    hx: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALEXT_DATA_DIR", str(tmp_path / "mine"))
    await asyncio.to_thread(lambda: hx.map(["a"], "{}", model=MODEL, job="x").result())
    assert (tmp_path / "mine" / "map" / "x.job").is_file()
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "mine" / "map").stat().st_mode) == 0o700


async def test_no_prompt_and_no_item_is_written_down(hx: Client, tmp_path: Path) -> None:
    def use() -> bytes:
        hx.map(["secret item"], "private {}", model=MODEL, job="x", folder=tmp_path).result()
        return b"".join(file.read_bytes() for file in tmp_path.glob("x.job*"))

    told = await asyncio.to_thread(use)
    assert b"Hello there" in told
    assert b"secret item" not in told
    assert b"private" not in told


async def test_another_question_under_the_same_name_is_refused(hx: Client, place: Place, tmp_path: Path) -> None:
    def use() -> None:
        hx.map(["a"], "Say {}", model=MODEL, job="x", folder=tmp_path).result()
        asked = place.asked()
        with pytest.raises(Conflict, match="another prompt") as caught:
            hx.map(["a"], "Tell {}", model=MODEL, job="x", folder=tmp_path).result("keep")
        assert str(tmp_path / "x.job") in str(caught.value)
        with pytest.raises(Conflict, match="another model"):
            hx.map(["a"], "Say {}", model="other", job="x", folder=tmp_path).result()
        assert place.asked() == asked

    await asyncio.to_thread(use)


async def test_another_model_under_the_same_name_is_noticed(hx: Client, place: Place, tmp_path: Path) -> None:
    await asyncio.to_thread(lambda: hx.map(["a"], "{}", model=MODEL, job="x", folder=tmp_path).result())
    Book(tmp_path / "x.job").keep_traits({"digest": "of-long-ago"})
    with pytest.raises(Conflict, match="not the one any more"):
        await asyncio.to_thread(lambda: hx.map(["b"], "{}", model=MODEL, job="x", folder=tmp_path).result())


async def test_a_job_that_another_program_works_on(hx: Client, tmp_path: Path) -> None:
    other = Book(tmp_path / "x.job", alone=True)
    with pytest.raises(AlreadyRunning):
        await asyncio.to_thread(lambda: hx.map(["a"], "{}", model=MODEL, job="x", folder=tmp_path).result())
    other.close()


async def test_a_model_that_nobody_has_is_said_at_once(hx: Client, tmp_path: Path) -> None:
    def use() -> None:
        job = hx.map(["a", "b"], "{}", model="gpt-9", folder=tmp_path)
        with pytest.raises(UnknownModel, match="gpt-9"):
            job.result(errors="keep")
        assert isinstance(job.error, UnknownModel)
        assert "ended early" in repr(job)

    await asyncio.to_thread(use)


async def test_a_job_keeps_the_model_that_was_chosen_for_it(hx: Client, place: Place, tmp_path: Path) -> None:
    def use() -> None:
        hx.map(["a"], "{}", job="x", folder=tmp_path).result()
        for server in place.ollamas:
            server.add(FakeModel("another:70b"))
        job = hx.map(["a", "b"], "{}", job="x", folder=tmp_path)
        assert list(job.df["model"]) == [MODEL, MODEL]

    await asyncio.to_thread(use)


async def test_a_job_that_is_done_asks_nobody_not_even_whether_they_are_there(
    fleet: Place, client: Callable[..., Client], tmp_path: Path
) -> None:
    hx = client(fleet.urls[0])
    await asyncio.to_thread(lambda: hx.map(["a"], "{}", job="x", folder=tmp_path).result())
    gone = client("http://127.0.0.1:9")
    job = gone.map(["a"], "{}", job="x", folder=tmp_path)
    assert await asyncio.to_thread(job.result) == ["Hello there"]
