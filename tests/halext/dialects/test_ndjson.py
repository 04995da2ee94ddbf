from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.ndjson import Lines
from halext.errors import BadAnswer


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.text()), st.lists(st.integers(min_value=0)))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(texts: list[str], places: list[int]) -> None:
    wanted = [json.dumps({"t": text}, ensure_ascii=False) for text in texts]
    data = "".join(line + "\n" for line in wanted).encode()
    lines = Lines()
    found = [line for chunk in cut(data, places) for line in lines.feed(chunk)]
    assert [line.decode() for line in found] == wanted
    assert lines.close() is None


def test_a_character_cut_in_the_middle_comes_out_whole() -> None:
    lines = Lines()
    first, second = "é\n".encode()[:1], "é\n".encode()[1:]
    assert lines.feed(first) == []
    assert lines.feed(second) == ["é".encode()]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\r\n  \na\n", [b"a"]),
        (b"a", []),
    ],
)
def test_line_ends(data: bytes, wanted: list[bytes]) -> None:
    assert Lines().feed(data) == wanted


@pytest.mark.parametrize(("rest", "wanted"), [(b"half", b"half"), (b"half\r", b"half"), (b" \r", None), (b"", None)])
def test_close_hands_out_what_is_left_once(rest: bytes, wanted: bytes | None) -> None:
    lines = Lines()
    lines.feed(b"whole\n" + rest)
    assert lines.close() == wanted
    assert lines.close() is None


def test_a_line_of_exactly_the_limit_passes() -> None:
    assert Lines(max_line_bytes=4).feed(b"abcd\n") == [b"abcd"]


@pytest.mark.parametrize("chunks", [[b"abcde"], [b"abc", b"de"], [b"abcde\n"], [b"ab", b"cde\n"], [b"a\nabcde\n"]])
def test_a_longer_line_is_refused_whether_it_ends_or_not(chunks: list[bytes]) -> None:
    lines = Lines(max_line_bytes=4)
    with pytest.raises(BadAnswer, match="4 bytes"):
        _ = [lines.feed(chunk) for chunk in chunks]
