"""Has the watch look whenever there may be something to see, and keeps the webhooks in step with their stored URLs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, MutableMapping

from halext.alerts.types import Notifier
from halext.alerts.watch import Watch
from halext.errors import InvalidInput, VaultError
from halext.events import Event, StatusChanged
from halext.types import EndpointId, SecretRef
from halext.upstreams.http import Door
from halext.upstreams.webhook import PLATFORMS, Reach, Webhook, open_webhook
from halext.vault.box import Vault

Spawn = Callable[[Coroutine[object, object, None], str], None]
_log = logging.getLogger("halext.alerts")


class Webhooks:
    """Puts a notifier into `notifiers` for each webhook whose URL is in the vault.

    One that can't be used, or was removed at its platform, is said so once and left out until its key changes.
    """

    def __init__(
        self, vault: Vault, door: Door, notifiers: MutableMapping[str, Notifier], reach: Reach | None = None
    ) -> None:
        self._vault = vault
        self._door = door
        self._notifiers = notifiers
        self._reach = reach
        self._seen: dict[str, float] = {}
        """When each key that was looked at had been stored."""
        self._open: dict[str, Webhook] = {}

    async def refresh(self) -> None:
        """Take up keys that are new or changed, and let go of those that are gone."""
        stored = {info.ref: info.updated_at for info in await self._vault.list() if info.ref in PLATFORMS}
        for name in PLATFORMS:
            ref = SecretRef(name)
            if stored.get(ref) != self._seen.get(name):
                await self._close(name)
                if ref in stored:
                    self._seen[name] = stored[ref]
                    await self._take(ref)
                else:
                    self._seen.pop(name, None)
            elif (hook := self._open.get(name)) is not None and hook.is_removed:
                await self._close(name)
                _log.warning("the webhook %s was removed at its platform: nothing is told there any more", name)

    async def _take(self, ref: SecretRef) -> None:
        try:
            hook = open_webhook(
                ref, await self._vault.reveal(ref, purpose="telling of alerts"), self._door, self._reach
            )
        except (InvalidInput, VaultError) as error:
            _log.warning("the webhook %s can't be used: %s", ref, error.message)
            return
        self._open[ref] = hook
        self._notifiers[ref] = hook

    async def _close(self, name: str) -> None:
        if self._open.pop(name, None) is not None:
            self._notifiers.pop(name, None)
            await self._door.forget(EndpointId(name))


class Alerting:
    """The alerts' part of the schedule."""

    def __init__(self, watch: Watch, webhooks: Webhooks, spawn: Spawn) -> None:
        self._watch = watch
        self._webhooks = webhooks
        self._spawn = spawn
        self._is_looking = False
        self._look_again = False

    async def tick(self) -> None:
        """Look, and tell what there is to tell."""
        await self._webhooks.refresh()
        await self._watch.tick()

    def hear(self, event: Event) -> None:
        """Look at once when a status changes; while one look is under way, once more after it."""
        if not isinstance(event, StatusChanged):
            return
        self._look_again = True
        if not self._is_looking:
            self._is_looking = True
            self._spawn(self._look(), "look for alerts")

    async def _look(self) -> None:
        try:
            while self._look_again:
                self._look_again = False
                await self.tick()
        finally:
            self._is_looking = False
