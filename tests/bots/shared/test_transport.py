"""What chats answer says what is wrong."""

from __future__ import annotations

from halext_bots.shared.transport import Body, Flooded


def test_a_pause_has_a_length() -> None:
    assert Flooded(1.5).retry_after_s == 1.5
    assert str(Flooded(126)) == "a pause of 126 s is wanted"


def test_bodies_are_equal_by_what_they_show() -> None:
    assert Body("a", ("Stop",)) == Body("a", ("Stop",)) != Body("a")
