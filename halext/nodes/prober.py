"""Looks at endpoints, on time and when something seems wrong."""

from __future__ import annotations

import asyncio

from halext.errors import HalextError, UpstreamError
from halext.nodes import policy
from halext.nodes.registry import Registry
from halext.nodes.types import Status
from halext.types import Clock, EndpointId
from halext.upstream import Drivers

OFFLINE_INTERVAL_S = 10.0
"""How often an endpoint that is offline is looked at: once per ten seconds is enough to see it return."""


class Prober:
    """One look at a time per endpoint; a slow endpoint never delays the look at another."""

    def __init__(self, registry: Registry, drivers: Drivers, clock: Clock) -> None:
        self._registry = registry
        self._drivers = drivers
        self._clock = clock
        self._looking: dict[EndpointId, asyncio.Event] = {}
        self._looked_at: dict[EndpointId, float] = {}

    async def tick(self) -> None:
        """Look at every endpoint that is due. Called by the schedule at the probe interval."""
        await self._look_at([state.endpoint.id for state in self._registry.states() if self._is_due(state.endpoint.id)])

    async def refresh(self, max_age_s: float) -> None:
        """Look at those that have not been seen for so long; for callers without a schedule."""
        now = self._clock.now()
        await self._look_at(
            [
                state.endpoint.id
                for state in self._registry.states()
                if now - self._looked_at.get(state.endpoint.id, -max_age_s) >= max_age_s
            ]
        )

    async def look(self, endpoint: EndpointId) -> None:
        """Look at one endpoint now; a first failure is confirmed by a second look before it counts as gone.

        Where a look is under way already, this waits for its end.
        """
        if (under_way := self._looking.get(endpoint)) is not None:
            await under_way.wait()
            return
        self._looking[endpoint] = done = asyncio.Event()
        try:
            if not await self._once(endpoint) and policy.wants_confirmation(self._registry.state(endpoint).health):
                await self._clock.sleep(policy.CONFIRM_AFTER_S)
                await self._once(endpoint)
        except HalextError:
            pass  # removed while we looked: there is nothing left to tell
        finally:
            del self._looking[endpoint]
            done.set()

    async def _once(self, endpoint: EndpointId) -> bool:
        target = self._registry.state(endpoint).endpoint
        asked_at = self._looked_at[endpoint] = self._clock.now()
        try:
            sighting = await self._drivers(target.kind).look(target)
        except UpstreamError as error:
            self._registry.missed(endpoint, error)
            return False
        self._registry.saw(endpoint, sighting, asked_at=asked_at)
        return True

    async def _look_at(self, endpoints: list[EndpointId]) -> None:
        ends = await asyncio.gather(*map(self.look, endpoints), return_exceptions=True)
        if faults := [end for end in ends if isinstance(end, Exception)]:  # all looks have ended: none was cut short
            raise ExceptionGroup("a look at a node failed in a way that no driver should", faults)

    def _is_due(self, endpoint: EndpointId) -> bool:
        if endpoint in self._looking:
            return False
        if self._registry.state(endpoint).health.status is not Status.OFFLINE:
            return True
        return self._clock.now() - self._looked_at.get(endpoint, 0.0) >= OFFLINE_INTERVAL_S
