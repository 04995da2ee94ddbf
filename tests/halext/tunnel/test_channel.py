from __future__ import annotations

from typing import Any

import pytest

from halext.tunnel.channel import Session


class Heard:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def data_received(self, data: bytes, /) -> None:
        self.calls.append(("data", data))

    def eof_received(self) -> None:
        self.calls.append(("eof",))

    def connection_lost(self, error: Exception | None, /) -> None:
        self.calls.append(("lost", type(error)))

    def pause_writing(self) -> None:
        self.calls.append(("pause",))

    def resume_writing(self) -> None:
        self.calls.append(("resume",))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_everything_is_handed_on(heard: Heard) -> None:
    session = Session(heard)
    session.data_received(b"x", None)
    session.pause_writing()
    session.resume_writing()
    assert session.eof_received()
    session.connection_lost(None)
    assert heard.calls == [("data", b"x"), ("pause",), ("resume",), ("eof",), ("lost", type(None))]


@pytest.mark.parametrize("error", [None, OSError()])
def test_an_end_without_a_word_is_a_broken_line(heard: Heard, error: Exception | None) -> None:
    Session(heard).connection_lost(error)
    assert heard.calls == [("lost", ConnectionResetError)]
