from __future__ import annotations

import pytest

from halext.chat.types import ConversationId, Outcome, Turn, TurnId, TurnState
from halext_bots.shared import answers


def turn(state: TurnState, text: str = "", **outcome: object) -> Turn:
    made = Outcome(state, text, **outcome)  # type: ignore[arg-type]
    return Turn(TurnId(5), ConversationId(1), None, "assistant", 0.0, made)


@pytest.mark.parametrize(
    ("made", "says", "offers"),
    [
        (turn(TurnState.DONE, "Because."), "Because.", ["Regenerate", "Why"]),
        (turn(TurnState.DONE, " \n"), "*The model said nothing.*", ["Regenerate", "Why"]),
        (turn(TurnState.STOPPED, "Bec"), "Bec\n\n*Stopped.*", ["Continue", "Regenerate", "Why"]),
        (turn(TurnState.STOPPED), "*Stopped.*", ["Regenerate", "Why"]),
        (
            turn(TurnState.INTERRUPTED, "Bec", error="mac went away *now*."),
            r"Bec" + "\n\n" + r"*Interrupted: mac went away \*now\*\.*",
            ["Continue", "Regenerate", "Why"],
        ),
        (turn(TurnState.FAILED, error="All are busy."), r"All are busy\.", ["Regenerate"]),
    ],
)
def test_an_answer_says_how_it_ended(made: Turn, says: str, offers: list[str]) -> None:
    assert answers.ended_text(made) == says
    assert [button.label for button in answers.ended_buttons(made)] == offers
    assert all(button.says.endswith(" 5") for button in answers.ended_buttons(made))


def test_below_it_stands_where_it_came_from() -> None:
    told = turn(TurnState.DONE, "x", model="llama3", node="@mac", tokens_per_s=31.6)
    assert answers.footer(told) == r"*llama3 on \@mac · 32 tokens/s*"
    assert answers.footer(turn(TurnState.FAILED)) == ""


def test_while_it_is_written_it_can_be_stopped() -> None:
    assert [(button.label, button.says) for button in answers.running_buttons(TurnId(5))] == [("Stop", "stop 5")]
