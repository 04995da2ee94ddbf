from __future__ import annotations

from typing import Any

import pytest

from halext.testing.discordapi.compose import Composer
from halext.testing.discordapi.forms import Upload
from halext.testing.discordapi.refusal import Refusal, Unsupported
from halext.testing.discordapi.things import LAYOUT, SUPPRESS_EMBEDS, Channel, Revision
from halext.testing.discordapi.world import World

ROW = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Stop", "custom_id": "stop"}]}


@pytest.fixture
def composer(world: World) -> Composer:
    return Composer(world, 10)


def test_a_change_keeps_what_it_does_not_name(composer: Composer, room: Channel) -> None:
    first, _ = composer.write(
        room, {"content": " why \n", "components": [ROW], "embeds": [{"title": "t"}]}, [], Revision(), 0
    )
    second, _ = composer.write(room, {"content": "because"}, [], first, 0)
    third, _ = composer.write(
        room, {"components": [], "embeds": None, "allowed_mentions": {"parse": []}}, [], second, 0
    )
    assert (first.content, second.content, third.content) == ("why", "because", "because")
    assert (second.components, second.embeds) == (first.components, first.embeds)
    assert (third.components, third.embeds, third.allowed_mentions) == ([], [], {"parse": []})


def test_files_stay_by_their_ids(composer: Composer, room: Channel) -> None:
    uploads = [Upload(0, "a.txt", b"a", "text/plain"), Upload(1, "b.txt", b"b", "text/plain")]
    about = [{"id": 1, "filename": "renamed.txt", "description": "second"}]
    first, _ = composer.write(room, {"attachments": about}, uploads, Revision(), 0)
    assert [(one.name, one.description) for one in first.attachments] == [("a.txt", None), ("renamed.txt", "second")]
    kept, _ = composer.write(room, {"attachments": [{"id": str(first.attachments[1].id)}]}, [], first, 0)
    assert [one.name for one in kept.attachments] == ["renamed.txt"]
    more, _ = composer.write(room, {}, uploads[:1], kept, 0)
    assert [one.name for one in more.attachments] == ["renamed.txt", "a.txt"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 50006),
        ({"content": "  "}, 50006),
        ({"content": "x" * 2001}, 50035),
        ({"content": "x", "flags": LAYOUT}, 50035),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, 50035),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"components": [ROW] * 6}, 50035),
    ],
)
def test_what_is_refused(composer: Composer, room: Channel, form: dict[str, Any], code: int) -> None:
    with pytest.raises(Refusal) as refused:
        composer.write(room, form, [], Revision(), 0)
    assert refused.value.code == code


def test_files_that_are_too_big(composer: Composer, room: Channel) -> None:
    with pytest.raises(Refusal, match="too large"):
        composer.write(room, {}, [Upload(0, "a", b"x" * 11, "")], Revision(), 0)


def test_a_layout_stays_one_and_embeds_can_be_hidden_and_shown(composer: Composer, room: Channel) -> None:
    text = {"type": 10, "content": "x"}
    layout, flags = composer.write(room, {"components": [text], "flags": LAYOUT}, [], Revision(), 0)
    assert layout.text == "x"
    _, flags = composer.write(room, {"flags": SUPPRESS_EMBEDS}, [], layout, flags)
    assert flags == LAYOUT | SUPPRESS_EMBEDS
    _, flags = composer.write(room, {"flags": 0}, [], layout, flags)
    assert flags == LAYOUT
    with pytest.raises(Refusal):
        composer.write(room, {"content": "plain"}, [], layout, flags)


def test_what_this_fake_does_not_have(composer: Composer, room: Channel) -> None:
    with pytest.raises(Unsupported, match="poll"):
        composer.write(room, {"content": "x", "poll": {"question": "?"}}, [], Revision(), 0)
