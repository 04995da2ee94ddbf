from __future__ import annotations

from contextlib import suppress
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.runtime.units import (
    LARGEST_BYTES,
    LONGEST_S,
    parse_duration,
    parse_picture_size,
    parse_size,
    show_duration,
    show_size,
    show_time,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1 h 30 min", 5400),
        ("1.5h", 5400),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        (" 2H ", 7200),
        ("0.5s", 0.5),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "2", "h", "2x", "-2h", "0h", "2h!", "1h30", "101000d", "9999999999999s", "٣h", "inf", "1e3s"]
)
def test_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="no duration; write it like 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16GB", 16_000_000_000),
        ("16 gb", 16_000_000_000),
        ("24GiB", 25_769_803_776),
        ("512MB", 512_000_000),
        ("1.5TB", 1_500_000_000_000),
        ("1KiB", 1024),
        ("7b", 7),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "16", "GB", "16GB4", "-1GB", "0GB", "0.1b", "16 giga", "2000TB", "16GBGB"])
def test_no_size_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="no size; write it like 16GB"):
        parse_size(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_in_bounds_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 < parse_duration(text) <= LONGEST_S


@given(st.text(max_size=20))
def test_any_text_is_a_size_in_bounds_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 < parse_size(text) <= LARGEST_BYTES


@given(st.integers(1, 48), st.integers(0, 59), st.integers(0, 59))
def test_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0121, "12 ms"), (3.44, "3.4 s"), (60, "1 min"), (90, "1.5 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_a_duration_is_shown_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@given(st.floats(60, LONGEST_S))
def test_a_long_duration_that_is_shown_can_be_read_again(seconds: float) -> None:
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds, rel=0.06)


@pytest.mark.parametrize(("text", "size"), [("512x768", (512, 768)), (" 640 X 512 ", (640, 512)), ("64×64", (64, 64))])
def test_the_size_of_a_picture(text: str, size: tuple[int, int]) -> None:
    assert parse_picture_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "512x", "x512", "-1x5", "512x512x512", "1e3x5", "٥x٥"])
def test_what_is_no_size_of_a_picture(text: str) -> None:
    with pytest.raises(ValueError, match="512x768"):
        parse_picture_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "-"), (7, "7 B"), (2_000_000_000, "2.0 GB"), (137_000_000, "137.0 MB"), (1500, "1.5 kB"), (10**12, "1.0 TB")],
)
def test_a_size_is_shown(size: int, text: str) -> None:
    assert show_size(size) == text


@given(st.integers(1, LARGEST_BYTES))
def test_a_size_that_is_shown_can_be_read_again(size: int) -> None:
    assert parse_size(show_size(size)) == pytest.approx(size, rel=0.06)


def test_a_moment_is_shown_on_the_clock_that_is_asked_for() -> None:
    assert show_time(0.0, UTC) == "1970-01-01 00:00"
    assert show_time(0.0, timezone(timedelta(hours=2))) == "1970-01-01 02:00"
    assert show_time(None) == "-"
