"""Stopping jobs at servers that don't remember such a wish, and leaving none of ours behind at them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from halext.errors import Unreachable, UpstreamError
from halext.images.shelf import Entry, Site
from halext.types import Clock, RequestId
from halext.upstream import Stopping

INSIST_S = 0.5
"""Between two tries to stop a job that its server has not begun yet."""
AGAIN_S = 3.0
"""After a try that a server took; one that comes while the job is prepared may be forgotten."""
LAST_WORD_S = 2.0
"""For telling a server, when halext stops, that nobody wants its work any more."""
LONGEST_CLEARING_S = 600.0
"""How long an endpoint is kept free for a job of ours that we have lost sight of."""


class Stopper:
    """Asks servers to stop jobs, each by its own name; never anybody else's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def ask(self, entry: Entry, site: Site) -> Stopping:
        """One try; a server that does not answer may do so the next time. The endpoint is not given on meanwhile."""
        async with entry.stopping:
            try:
                return await site.painter.stop(site.endpoint, entry.job.id)
            except UpstreamError:
                return "not_begun"

    async def insist(self, entry: Entry) -> None:
        """Try again until the job has left its server."""
        pause_s = INSIST_S
        while True:
            await self._clock.sleep(pause_s)
            site = entry.site
            if site is None:
                return
            pause_s = AGAIN_S if await self.ask(entry, site) == "stopping" else INSIST_S

    async def clear(self, site: Site, job: RequestId) -> None:
        """Stop a job whose connection broke: its server works on for nobody, and the next one would wait behind it.

        Ends when the server does not know the job any more, is gone itself, or can't say.
        """
        until = self._clock.monotonic() + LONGEST_CLEARING_S
        while self._clock.monotonic() < until:
            try:
                said = await site.painter.stop(site.endpoint, job)
            except Unreachable:
                return
            except UpstreamError:
                said = "not_begun"
            if said in {"gone", "cannot"}:
                return
            await self._clock.sleep(INSIST_S)

    async def last_word(self, site: Site, job: RequestId) -> None:
        """One more try for a job that is left because halext stops."""
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                while await site.painter.stop(site.endpoint, job) in {"not_begun", "gone"}:
                    await self._clock.sleep(INSIST_S)
