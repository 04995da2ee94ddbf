"""How an answer of a model looks in a chat: its text, what is said below it, and its buttons."""

from __future__ import annotations

from halext.chat.types import Turn, TurnId, TurnState
from halext.commands import words
from halext.commands.types import Button

NOTHING_YET = "…"
"""What stands there before the first word."""


def running_buttons(turn: TurnId) -> tuple[Button, ...]:
    """Under an answer that is being written."""
    return (Button("Stop", f"stop {turn}"),)


def ended_buttons(turn: Turn) -> tuple[Button, ...]:
    """Under an answer that has ended."""
    again = Button("Regenerate", f"regenerate {turn.id}")
    if turn.outcome.state is TurnState.FAILED:
        return (again,)
    why = Button("Why", f"why {turn.id}")
    if turn.outcome.state is TurnState.DONE:
        return (again, why)
    go_on = (Button("Continue", f"continue {turn.id}"),) if turn.outcome.text else ()
    return (*go_on, again, why)


def ended_text(turn: Turn) -> str:
    """The whole answer as Markdown, with how it ended where that was not well."""
    outcome = turn.outcome
    parts = [outcome.text] if outcome.text.strip() else []
    if outcome.state is TurnState.FAILED:
        parts.append(words.plain(outcome.error))
    elif outcome.state is TurnState.INTERRUPTED:
        parts.append(f"*Interrupted: {words.plain(outcome.error)}*")
    elif outcome.state is TurnState.STOPPED:
        parts.append("*Stopped.*")
    elif not parts:
        parts.append("*The model said nothing.*")
    return "\n\n".join(parts)


def footer(turn: Turn) -> str:
    """One line about where an answer came from, as Markdown; "" where nothing answered."""
    outcome = turn.outcome
    if not outcome.node:
        return ""
    speed = f" · {outcome.tokens_per_s:.0f} tokens/s" if outcome.tokens_per_s else ""
    return f"*{words.plain(outcome.model)} on {words.plain(outcome.node)}{speed}*"
