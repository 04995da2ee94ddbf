"""What happened to a request, in sentences."""

from __future__ import annotations

from halext.gateway.types import Record
from halext.routing.policy import sentence

WORTH_TELLING_S = 0.05
"""A shorter wait in line is nothing to tell anyone about."""


def why(record: Record) -> list[str]:
    """Choices and failures as they alternated: each failure is followed by another choice, or by the end."""
    lines = ["answered from the cache: you had asked exactly this before"] if record.cached else []
    for number, choice in enumerate(record.choices):
        waited = (
            f" (after {choice.waited_s:.1f} s in line)" if number == 0 and choice.waited_s >= WORTH_TELLING_S else ""
        )
        lines.append(sentence(choice.estimates, choice.rejected, choice.node) + waited)
        lines += record.failures[number : number + 1]
    return lines
