"""Numbers in addresses."""

from __future__ import annotations

LARGEST = 2_147_483_647
"""PostgreSQL's largest integer: no number of ours is larger."""
NOBODYS = 0
"""The number that nothing has: what is no number is answered like one that is not there, in the same words."""


def number(text: str) -> int:
    """The number that an address names, as halext writes it; `NOBODYS` for everything else."""
    is_one = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)) and text == str(int(text))
    return int(text) if is_one and int(text) <= LARGEST else NOBODYS
