from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import cast

import pytest

from halext.alerts.types import Alert, Notifier
from halext.alerts.watch import Watch
from halext.errors import HalextError, KeyRefused
from halext.events import EndpointReadmitted, StatusChanged
from halext.runtime.alerting import Alerting, Webhooks
from halext.runtime.app import App
from halext.runtime.clock import SystemClock
from halext.storage.scope import Scope
from halext.testing.webhooks import FakeWebhooks
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstreams.webhook import Reach
from halext.vault.box import Vault
from halext.vault.cipher import Cipher, new_key
from halext.vault.store import SecretStore

HERE = Reach(("127.0.0.1/32",), insecure=True)
ALERT = Alert("hx-1-open", "mac is offline", "Offline since noon.", is_over=False, started_at=0.0, ended_at=None)
SLACK, DISCORD = SecretRef("webhook/slack"), SecretRef("webhook/discord")
OFF = StatusChanged(NodeName("mac"), EndpointId("mac"), "degraded", "offline", "gone", 6.0)


@pytest.fixture
async def hooks() -> AsyncIterator[FakeWebhooks]:
    async with FakeWebhooks() as fake:
        yield fake


@pytest.fixture
def webhooks(app: App) -> Webhooks:
    return Webhooks(app.vault, app.door, app.notifiers, HERE)


async def test_a_stored_url_is_a_place_until_it_is_removed(app: App, webhooks: Webhooks, hooks: FakeWebhooks) -> None:
    await webhooks.refresh()
    assert app.notifiers == {}
    await app.vault.set(SLACK, hooks.slack_url)
    await app.vault.set(DISCORD, hooks.discord_url)
    await app.vault.set(SecretRef("webhook/other"), "x")
    await webhooks.refresh()
    assert sorted(app.notifiers) == [DISCORD, SLACK]
    slack = app.notifiers[SLACK]
    await webhooks.refresh()
    assert app.notifiers[SLACK] is slack, "what has not changed is left alone"
    await app.vault.remove(SLACK)
    await webhooks.refresh()
    assert list(app.notifiers) == [DISCORD]
    await app.vault.set(SLACK, hooks.slack_url)
    await webhooks.refresh()
    await app.notifiers[SLACK].send(ALERT)
    assert len(hooks.messages) == 1


async def test_a_removed_webhook_is_said_once_and_left_out_until_its_key_changes(
    app: App, webhooks: Webhooks, hooks: FakeWebhooks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await app.vault.set(DISCORD, hooks.discord_url)
    await webhooks.refresh()
    hooks.is_removed = True
    with pytest.raises(KeyRefused):
        await app.notifiers[DISCORD].send(ALERT)
    for _ in range(3):
        await webhooks.refresh()
    assert app.notifiers == {}
    said = [record.getMessage() for record in caplog.records if "removed at its platform" in record.getMessage()]
    assert said == ["the webhook webhook/discord was removed at its platform: nothing is told there any more"]
    hooks.is_removed = False
    await webhooks.refresh()
    assert app.notifiers == {}
    await app.vault.set(DISCORD, hooks.discord_url)
    await webhooks.refresh()
    assert await app.notifiers[DISCORD].send(ALERT)


async def test_a_key_that_cannot_be_used_is_said_once(
    app: App, webhooks: Webhooks, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    await app.vault.set(SLACK, "https://evil.example/SECRET")
    for _ in range(3):
        await webhooks.refresh()
    assert app.notifiers == {}
    (record,) = [record for record in caplog.records if record.name == "halext.alerts"]
    assert "its URL looks like" in record.getMessage()
    assert "SECRET" not in caplog.text
    caplog.clear()
    sealed_elsewhere = Vault(SecretStore(scope), Cipher([new_key()]), SystemClock())
    await sealed_elsewhere.set(SLACK, "x")
    lost = Vault(SecretStore(scope), Cipher([new_key()]), SystemClock())
    lost_webhooks = Webhooks(lost, app.door, app.notifiers)
    for _ in range(3):
        await lost_webhooks.refresh()
    assert [record.name for record in caplog.records] == ["halext.alerts"]
    assert app.notifiers == {}


# --- when to look ---


@dataclass
class Looks:
    """In place of the watch and the webhooks: counts, and can be held."""

    count: int = 0
    gate: asyncio.Event | None = None
    error: HalextError | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def refresh(self) -> None:
        """There are no webhooks."""

    async def tick(self) -> None:
        self.count += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error

    def spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        async def run() -> None:
            await work

        self.tasks.append(asyncio.get_running_loop().create_task(run(), name=name))

    def alerting(self) -> Alerting:
        return Alerting(cast("Watch", self), cast("Webhooks", self), self.spawn)

    async def done(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_change_of_status_is_looked_at_at_once_and_a_flood_of_them_twice() -> None:
    looks = Looks()
    alerting = looks.alerting()
    alerting.hear(EndpointReadmitted(NodeName("mac"), EndpointId("mac"), 5.0))
    assert looks.tasks == []
    alerting.hear(OFF)
    await looks.done()
    assert looks.count == 1
    looks.gate = asyncio.Event()
    alerting.hear(OFF)
    await asyncio.sleep(0)
    for _ in range(1_000):
        alerting.hear(OFF)
    looks.gate.set()
    await looks.done()
    assert (looks.count, len(looks.tasks)) == (3, 2)


async def test_a_look_that_failed_keeps_no_later_one_from_looking() -> None:
    looks = Looks(error=HalextError())
    alerting = looks.alerting()
    alerting.hear(OFF)
    await looks.done()
    alerting.hear(OFF)
    await looks.done()
    assert looks.count == 2


async def test_a_place_of_a_door_is_left_alone(app: App, webhooks: Webhooks) -> None:
    door = cast("Notifier", object())
    app.notifiers["discord"] = door
    await webhooks.refresh()
    assert app.notifiers == {"discord": door}
