"""The memory that bodies of requests take, all together: bounded, with a share for each sender.

A body is counted as it comes, and until its request has been answered: what was read out of it, such as pictures that
wait in line for a node, takes as much. Nothing is put on the disk: the text of a picture must be in memory anyway to be
checked and sent on, and the sum is what a small server has to keep down.
"""

from __future__ import annotations

from collections import Counter

from halext.errors import Crowded

TOTAL = 96 * 1024 * 1024
"""Bytes. Three of the largest requests, on a server with 2 GB."""
SHARE = 48 * 1024 * 1024
"""Bytes for one sender: one of the largest requests, and many of the usual ones."""
RETRY_AFTER_S = 5.0


class Bodies:
    """Counts the bytes that are held, by who sent them."""

    def __init__(self, *, total: int = TOTAL, share: int = SHARE) -> None:
        self._total = total
        self._share = share
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Bytes of all bodies together."""
        return self._held.total()

    def check(self, who: str, size: int) -> None:
        """Raise `Crowded` when so many more bytes would not fit."""
        if self._held[who] + size > self._share or self.held + size > self._total:
            raise Crowded(
                "Too many large requests are under way at once; send this one again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )

    def take(self, who: str, size: int) -> None:
        """Count so many bytes. Raises `Crowded`, and then counts nothing."""
        self.check(who, size)
        self._held[who] += size

    def give_back(self, who: str, size: int) -> None:
        """They are gone."""
        self._held[who] -= size
        if self._held[who] <= 0:
            del self._held[who]
