from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.sse import Decoder, Event, comment, event
from halext.errors import BadAnswer


def decoded(*chunks: bytes) -> list[Event]:
    decoder = Decoder()
    return [found for chunk in chunks for found in decoder.feed(chunk)]


# The first five are the examples of the standard itself, the rest its rules one by one.
@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            [Event(b"first event", id="1"), Event(b"second event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event(b""), Event(b"\n")]),
        (b"data:test\n\ndata: test\n\n", [Event(b"test"), Event(b"test")]),
        (b"event: add\ndata: 7\n\ndata: 8\n\n", [Event(b"7", "add"), Event(b"8")]),
        (b"event: lost\n\ndata: x\n\n", [Event(b"x")]),
        (b"data: a\r\rdata: b\r\n\r\ndata: c\n\n", [Event(b"a"), Event(b"b"), Event(b"c")]),
        (b"\xef\xbb\xbfdata: bom\n\n", [Event(b"bom")]),
        (b"data: x\n\n\xef\xbb\xbfdata: not at the start\n\n", [Event(b"x")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Event(b"a", id="1"), Event(b"b", id="1")]),
        (b"id: 1\nid: 2\0\ndata: a\n\n", [Event(b"a", id="1")]),
        (b"retry: 10\nunknown: x\nDATA: no\ndata: yes\n\n", [Event(b"yes")]),
        (b"data: unfinished\n", []),
        (b"", []),
    ],
)
def test_streams_of_the_standard(stream: bytes, wanted: list[Event]) -> None:
    assert decoded(stream) == wanted
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == wanted


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_events_do_not_depend_on_how_the_bytes_are_cut(noise: bytes, places: list[int]) -> None:
    stream = noise.replace(b"x", b"data: ").replace(b"y", b"\r\n").replace(b"z", b"\n\n")
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert decoded(*pieces) == decoded(stream)


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b"event: e", b"id: 1", b": c", b"", b"\xef\xbb\xbf"]), max_size=30)
)
def test_every_kind_of_line_end_means_the_same(lines: list[bytes]) -> None:
    unix, mac, dos = (decoded(b"".join(line + end for line in lines)) for end in (b"\n", b"\r", b"\r\n"))
    assert unix == mac == dos


_plain = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=20)


@given(st.text(), _plain, _plain)
def test_what_is_encoded_is_decoded(text: str, kind: str, name: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert decoded(comment("hello") + event(text, kind, name)) == [Event(lines.encode(), kind or "message", name)]


def test_bytes_and_text_encode_alike() -> None:
    assert event(b'{"a":1}') == event('{"a":1}') == b'data: {"a":1}\n\n'
    assert event("x", event="done", id="7") == b"id: 7\nevent: done\ndata: x\n\n"


@given(st.text())
def test_a_comment_is_never_an_event(text: str) -> None:
    assert decoded(comment(text)) == []
    assert decoded(b"data: a\n" + comment(text)) == [Event(b"a")]


@pytest.mark.parametrize(("kind", "name"), [("a\nb", ""), ("", "1\r"), ("", "1\0")])
def test_a_line_end_in_a_field_is_our_own_mistake(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="line ends"):
        event("x", kind, name)


@pytest.mark.parametrize("chunks", [[b"data: 1234567"], [b"data: 12", b"34567"], [b"data: 1234567\n\n"]])
def test_a_line_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    decoder = Decoder(max_line_bytes=10)
    with pytest.raises(BadAnswer, match="10 bytes"):
        _ = [decoder.feed(chunk) for chunk in chunks]


def test_an_event_over_the_limit_is_refused() -> None:
    decoder = Decoder(max_event_bytes=10)
    assert decoder.feed(b"data: 12345\n\ndata: 12345\n\n") == [Event(b"12345"), Event(b"12345")]
    with pytest.raises(BadAnswer, match="event of more than 10 bytes"):
        decoder.feed(b"data: 12345\n" * 2)
