from __future__ import annotations

import logging

import pytest

from halext.runtime.flood import BUDGET, WINDOW_S, Flood


class Shown(logging.Handler):
    """Keeps lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.flood = Flood(self)
        self.addFilter(self.flood)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def log(self, text: str, *args: object, at: float = 0.0, level: int = logging.WARNING, name: str = "x") -> None:
        record = logging.LogRecord(name, level, "f.py", 1, text, args, None)
        record.created = at
        self.handle(record)


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_equal_ones_are_one_line_and_a_count(shown: Shown) -> None:
    for number in range(1000):
        shown.log("request %s failed", f"9f3ab2c1d0-{number:x}", at=number / 100)
    assert shown.lines == ["request 9f3ab2c1d0-0 failed"]
    shown.flood.tell(WINDOW_S)
    assert shown.lines[1:] == ["999 more like this within a minute, the last one: request 9f3ab2c1d0-3e7 failed"]
    shown.flood.tell(WINDOW_S * 9)
    assert len(shown.lines) == 2
    shown.log("request %s failed", "1", at=WINDOW_S * 10)
    assert len(shown.lines) == 3


def test_the_next_line_brings_the_count(shown: Shown) -> None:
    shown.log("a")
    shown.log("a")
    shown.log("fine", at=WINDOW_S, level=logging.INFO)
    assert shown.lines == ["a", "1 more like this within a minute, the last one: a", "fine"]


def test_what_differs_in_words_has_lines_of_its_own(shown: Shown) -> None:
    for word in ("mac", "pc", "nas"):
        shown.log("%s is away", word)
    shown.log("mac is away", level=logging.ERROR)
    shown.log("mac is away", name="y")
    assert len(shown.lines) == 5


def test_what_is_no_trouble_always_passes(shown: Shown) -> None:
    for _ in range(5):
        shown.log("seen", level=logging.INFO)
    assert len(shown.lines) == 5


def test_words_that_change_every_time_don_t_help(shown: Shown) -> None:
    letters = [a + b + c for a in "ghijkl" for b in "ghijklmnop" for c in "ghijklmnop"]
    for word in letters:
        shown.log("no %s", word)
    shown.log("another logger", name="y")
    assert len(shown.lines) == BUDGET + 2  # one stands for all that come beyond
    shown.flood.tell(WINDOW_S)
    assert str(len(letters) - BUDGET - 1) in shown.lines[-1]


def test_one_sentence_over_two_faults_is_two_lines(shown: Shown) -> None:
    for value in ("", None):
        try:
            if value is None:
                raise KeyError(value)
            int(value)
        except (KeyError, ValueError) as error:
            record = logging.LogRecord(
                "x", logging.ERROR, "f.py", 1, "failed", (), (type(error), error, error.__traceback__)
            )
            shown.handle(record)
            shown.handle(record)
    assert shown.lines == ["failed", "failed"]


def test_a_mistake_in_a_line_harms_nobody(shown: Shown) -> None:
    shown.flood.filter(logging.LogRecord("x", logging.ERROR, "f.py", 1, "%d", ("no number",), None))
