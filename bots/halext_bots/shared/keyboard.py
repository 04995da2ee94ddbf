"""How buttons stand below a message."""

from __future__ import annotations

from collections.abc import Sequence

from halext.commands.types import Button

ONE_ROW = 3
"""So many stand side by side: more are cut off on a phone."""


def rows(buttons: Sequence[Button]) -> list[Sequence[Button]]:
    """A few in one row; more in pairs, so that what belongs together stands together."""
    size = ONE_ROW if len(buttons) <= ONE_ROW else 2
    return [buttons[at : at + size] for at in range(0, len(buttons), size)]
