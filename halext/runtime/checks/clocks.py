"""This machine's clock agrees with others': codes and sign-ins end by it, and so do certificates."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from statistics import median

from halext.errors import DatabaseUnavailable
from halext.runtime.app import App
from halext.runtime.shapes import Finding

MOST_S = 30.0
FIX = "timedatectl set-ntp true"
WHY = "Codes, sign-ins and certificates end too early or too late, and times in logs can't be compared."


async def look(app: App) -> list[Finding]:
    """Compared with the database's, and with what nodes and webhooks said in their answers."""
    found = await _database(app)
    seen = {name: off for name, told in app.door.dates.items() if (off := _difference(*told)) is not None}
    if seen and abs(typical := median(seen.values())) > MOST_S:
        what = f"This machine's clock is {_words(typical)} of the clocks of {', '.join(sorted(seen))}."
        found.append(Finding(check="clock", level="warning", what=what, why=WHY, fix=FIX))
    elif wrong := sorted(name for name, off in seen.items() if abs(off) > MOST_S):
        what = f"Others agree with this machine's clock, but not those of {', '.join(wrong)}."
        found.append(Finding(check="clock", level="note", what=what, why=WHY, fix=f"there: {FIX}"))
    return found or [Finding(check="clock", level="ok", what="It agrees with the other clocks it hears of.")]


async def _database(app: App) -> list[Finding]:
    try:
        theirs = await app.database.now()
    except DatabaseUnavailable:
        return []  # said by another check
    if theirs is None or abs(off := app.clock.now() - theirs) <= MOST_S:
        return []
    what = f"This machine's clock is {_words(off)} of the database's."
    return [Finding(check="clock", level="warning", what=what, why=WHY, fix=f"on both machines: {FIX}")]


def _difference(date: str, at: float) -> float | None:
    try:
        return at - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _words(off: float) -> str:
    return f"{abs(off):.0f} s {'ahead' if off > 0 else 'behind'}"
