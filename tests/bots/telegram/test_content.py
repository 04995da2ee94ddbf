from __future__ import annotations

import pytest

from halext.commands.types import Button, File
from halext_bots.shared.transport import Body
from halext_bots.telegram.content import content, of_telegram
from halext_bots.telegram.entities import Entity, Formatted

BOLD = Formatted("hello", (Entity("bold", 0, 5),))


def test_a_message_in_the_words_of_the_library() -> None:
    made = content(BOLD, [Button(str(number), f"why {number}") for number in range(5)])
    assert [(entity.type, entity.offset, entity.length) for entity in made.entities] == [("bold", 0, 5)]
    assert made.keyboard is not None
    rows = [[key.callback_data for key in row] for row in made.keyboard.inline_keyboard]
    assert rows == [["why 0", "why 1"], ["why 2", "why 3"], ["why 4"]]
    assert content(BOLD).keyboard is None


def test_the_next_step_down_has_the_same_words_buttons_and_files_without_a_look() -> None:
    file, button = File("a.txt", b"a"), Button("Why", "why 1")
    below = of_telegram(content(BOLD, [button], [file], 7)).fallback
    assert below == content(Formatted("hello"), [button], [file])
    assert below is not None
    assert of_telegram(below).reply_to == 7
    assert content(Formatted("hello")).fallback is None


def test_what_it_answers_makes_no_other_message_of_it() -> None:
    assert content(BOLD, reply_to=1) == content(BOLD, reply_to=2)


def test_only_what_was_made_here_is_sent() -> None:
    with pytest.raises(TypeError):
        of_telegram(Body("hello"))
