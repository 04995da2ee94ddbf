"""Answers on disk: what is known is found, what failed is not, and no two write at once."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from halext.client.book import Book
from halext.client.outcome import Outcome
from halext.errors import AlreadyRunning, DataDirUnusable

KEYS = [bytes([n]) * 16 for n in range(5)]
ANSWER = Outcome("hi", node="mac", model="m", attempts=2, tried=("pc", "mac"), tokens=3, seconds=0.5)
FAILURE = Outcome("h", code="interrupted", message="It broke off.", attempts=3, tried=("pc",))


def place(book: Book, position: int, key: bytes, outcome: Outcome) -> None:
    ((own, _),) = book.enter(position, [key], read=True)
    book.save([(position, own, outcome)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "x.job"


def test_what_is_kept_comes_back_as_it_was(path: Path) -> None:
    book = Book(path)
    place(book, 0, KEYS[0], ANSWER)
    place(book, 1, KEYS[1], FAILURE)
    book.enter(2, [KEYS[2]], read=True)
    assert book.rows(0, 10) == [(0, ANSWER, False), (1, FAILURE, False), (2, None, False)]
    assert book.rows(1, 1) == [(1, FAILURE, False)]
    book.close()


def test_the_next_run_knows_answers_and_asks_again_what_failed(path: Path) -> None:
    first = Book(path, alone=True)
    place(first, 0, KEYS[0], ANSWER)
    place(first, 1, KEYS[1], FAILURE)
    first.release()
    second = Book(path, alone=True)
    found = [outcome for _, outcome in second.enter(0, KEYS[:3], read=True)]
    assert found == [ANSWER, None, None]
    assert second.rows(0, 10) == [(0, ANSWER, True), (1, None, False), (2, None, False)]
    assert first.rows(0, 10) == [(0, ANSWER, False), (1, FAILURE, False)]
    first.close()
    second.close()


def test_reading_can_be_left_out(path: Path) -> None:
    book = Book(path)
    place(book, 0, KEYS[0], ANSWER)
    again = Book(path)
    ((_, found),) = again.enter(0, [KEYS[0]], read=False)
    assert found is None
    assert again.rows(0, 1) == [(0, None, False)]
    book.close()
    again.close()


def test_the_same_question_twice_is_two_items(path: Path) -> None:
    book = Book(path)
    (one, two), (three,) = (
        [own for own, _ in book.enter(at, keys, read=True)] for at, keys in [(0, KEYS[:1] * 2), (2, KEYS[:1])]
    )
    assert len({one, two, three}) == 3
    again = Book(path)
    assert [own for own, _ in again.enter(0, KEYS[:1] * 3, read=True)] == [one, two, three]
    book.close()
    again.close()


def test_traits(path: Path) -> None:
    book = Book(path)
    assert book.traits() == {}
    book.keep_traits({"model": "a"})
    book.keep_traits({"model": "b", "prompt": "c"})
    assert book.traits() == {"model": "b", "prompt": "c"}
    book.close()


def test_the_oldest_make_room(path: Path) -> None:
    book = Book(path)
    for at, key in enumerate(KEYS):
        place(book, at, key, ANSWER)
    book.prune(2)
    again = Book(path)
    assert [outcome is not None for _, outcome in again.enter(0, KEYS, read=True)] == [False] * 3 + [True] * 2
    book.close()
    again.close()


def test_without_a_path_nothing_is_left() -> None:
    book = Book(None)
    place(book, 0, KEYS[0], ANSWER)
    assert book.rows(0, 1) == [(0, ANSWER, False)]
    book.close()


def test_one_writer_per_job_here_and_in_other_programs(path: Path) -> None:
    book = Book(path, alone=True)
    with pytest.raises(AlreadyRunning, match=r"x\.job"):
        Book(path, alone=True)
    code = f"from pathlib import Path; from halext.client.book import Book; Book(Path({str(path)!r}), alone=True)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "AlreadyRunning" in other.stderr
    book.close()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_several_may_share_the_file_of_jobs_without_a_name(path: Path) -> None:
    books = [Book(path), Book(path)]

    def fill(book: Book, at: int) -> None:
        for number in range(30):
            place(book, number, bytes([at, number]) * 8, ANSWER)

    threads = [threading.Thread(target=fill, args=(book, at)) for at, book in enumerate(books)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(book.rows(0, 100)) for book in books] == [30, 30]
    for book in books:
        book.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_only_the_owner_can_read_it(path: Path) -> None:
    book = Book(path, alone=True)
    place(book, 0, KEYS[0], ANSWER)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    book.close()


def test_a_place_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database " * 100)
    for path in (tmp_path / "file", tmp_path / "file" / "x.job"):
        with pytest.raises(DataDirUnusable, match="folder="):
            Book(path)
