"""What a sign-in tells about itself."""

from __future__ import annotations

from halext.accounts.sessions.types import Origin

SESSION_S = 30 * 24 * 3600.0
STEP_S = 600.0
"""How exact the time of the last use is: enough to see a stranger, too little to tell somebody's day."""
ADDRESS_MAX = 64
AGENT_MAX = 40

# The first that is found counts: many programs also name others that they want to be taken for.
_PROGRAMS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python", "node")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "CrOS", "Linux")
_NAMES = {"Edg": "Edge", "OPR": "Opera", "python": "Python", "node": "Node.js", "Mac OS X": "macOS", "CrOS": "ChromeOS"}


def origin(address: str | None, user_agent: str) -> Origin:
    """What is kept of where a sign-in comes from: words of ours, and never the header itself."""
    found = [next((word for word in words if word in user_agent), "") for words in (_PROGRAMS, _SYSTEMS)]
    agent = " on ".join(_NAMES.get(word, word) for word in found if word)
    return Origin((address or "")[:ADDRESS_MAX], agent)


def coarse(now: float) -> float:
    """The time of a use as it is kept."""
    return now - now % STEP_S
