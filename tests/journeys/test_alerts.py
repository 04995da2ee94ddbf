"""A computer is switched off and on again, and two channels hear of it: real sockets from the node to the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from halext.accounts.types import LOCAL
from halext.errors import Unreachable
from halext.nodes.types import Node, Status
from halext.runtime import schedule
from halext.runtime.alerting import Webhooks
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.shapes_alerts import ListAlerts
from halext.runtime.verbs.alerts import list_alerts
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.clock import ManualClock, ScaledClock
from halext.testing.ollama import FakeOllama
from halext.testing.webhooks import FakeWebhooks, FaultKind
from halext.types import Clock, EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint, Sighting
from halext.upstreams import webhook
from halext.upstreams.http import Deadlines
from halext.upstreams.webhook import Reach

HERE = Reach(("127.0.0.1/32",), insecure=True)
MAC = EndpointId("mac")
FOR_S = 30.0
LATE_S = 200.0
"""At twenty times the speed a busy computer is late soon."""


@pytest.fixture
async def hooks() -> AsyncIterator[FakeWebhooks]:
    async with FakeWebhooks() as fake:
        yield fake


@asynccontextmanager
async def halext(tmp_path: Path, hooks: FakeWebhooks, clock: Clock) -> AsyncIterator[App]:
    """A whole house whose webhooks are the fake's; nothing is on a schedule yet."""
    settings = Settings(data_dir=tmp_path / "data", port=0, probe_interval_s=0.2, alert_offline_s=FOR_S)
    async with open_app(settings, clock) as app:
        app.webhooks = Webhooks(app.vault, app.door, app.notifiers, HERE)
        await app.vault.set(SecretRef("webhook/slack"), hooks.slack_url)
        await app.vault.set(SecretRef("webhook/discord"), hooks.discord_url)
        yield app


@asynccontextmanager
async def on_schedule(app: App) -> AsyncIterator[None]:
    scheduler = schedule.start(app)
    try:
        yield
    finally:
        await schedule.stop(app, scheduler)


async def until(is_so: Callable[[], bool], app: App) -> None:
    """Wait for something that the looks will find, with the changes that they tell."""
    changed = asyncio.Event()
    app.registry.listen(changed.set)
    async with asyncio.timeout(30):
        while not is_so():
            changed.clear()
            await changed.wait()


async def test_off_restarted_and_on_again(
    tmp_path: Path, hooks: FakeWebhooks, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    mac, clock = await fake_ollama(["m"]), ScaledClock(20.0)
    async with halext(tmp_path, hooks, clock) as app, on_schedule(app):
        await add_node(app, LOCAL, AddNode(name="mac", urls=[mac.url]))
        await mac.kill()
        messages = await hooks.wait_for(messages=2)
        assert {each.platform for each in messages} == {"Slack", "Discord"}
        assert {each.shown.splitlines()[0] for each in messages} == {"🔴 mac is offline"}
        assert all("refuses the connection" in each.shown and not each.signs for each in messages)
        (incident,) = await list_alerts(app, LOCAL, ListAlerts(open=True))
        assert FOR_S <= incident.fired_at - incident.started_at <= FOR_S + LATE_S

    # halext starts anew while the mac is still away: that is no news.
    async with halext(tmp_path, hooks, clock) as app, on_schedule(app):
        await until(lambda: app.registry.state(MAC).health.status is Status.OFFLINE, app)
        began = clock.now()
        await until(lambda: clock.now() - began > 2 * FOR_S, app)
        assert len(hooks.messages) == 2
        assert not any(each.before for each in hooks.messages)

        await mac.start()
        messages = await hooks.wait_for(messages=3, changes=1)
        slack = [each.shown.splitlines()[0] for each in messages if each.platform == "Slack"]
        (discord,) = [each for each in messages if each.platform == "Discord"]
        assert slack == ["🔴 mac is offline", "🟢 mac is back"]
        assert discord.shown.startswith("🟢 mac is back\nIt was offline for ")
        assert len(discord.before) == 1
    async with halext(tmp_path, hooks, clock) as app:
        (over,) = await list_alerts(app, LOCAL, ListAlerts())
    assert (over.id, over.ending) == (incident.id, "back")
    assert [(told.place, told.state, told.error) for told in sorted(over.told, key=lambda told: told.place)] == [
        ("webhook/discord", "done", ""),
        ("webhook/slack", "done", ""),
    ]


async def test_a_mac_that_is_away_when_halext_starts_is_noticed(
    tmp_path: Path, hooks: FakeWebhooks, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    mac, clock = await fake_ollama(["m"]), ScaledClock(20.0)
    async with halext(tmp_path, hooks, clock) as app:
        await add_node(app, LOCAL, AddNode(name="mac", urls=[mac.url]))
    await mac.kill()
    async with halext(tmp_path, hooks, clock) as app, on_schedule(app):
        messages = await hooks.wait_for(messages=2)
        assert {each.shown.splitlines()[0] for each in messages} == {"🔴 mac is offline"}


# --- what goes wrong on the way ---


class Story:
    """A house in which time passes when the test says so, and the mac is as the test says."""

    def __init__(self, app: App, clock: ManualClock) -> None:
        self.app, self.clock = app, clock

    async def begin(self) -> None:
        endpoint = Endpoint(MAC, NodeName("mac"), "ollama", "http://127.0.0.1:1")
        await self.app.registry.add(Node(NodeName("mac"), (endpoint,)))

    async def pass_time(self, seconds: float, *, is_on: bool) -> None:
        for _ in range(round(seconds / 10)):
            await self.clock.advance(10)
            if is_on:
                self.app.registry.saw(MAC, Sighting(), asked_at=self.clock.now())
            else:
                self.app.registry.missed(MAC, Unreachable("mac refuses the connection."))
            await self.app.webhooks.refresh()
            await self.app.watch.tick()


BEGAN, OVER = "🔴 mac is offline", "🟢 mac is back"


@pytest.mark.parametrize(
    ("fault", "at_the_end", "slack", "discord"),
    [
        # Before the platform took it: told once, a little later.
        ("cut", False, [BEGAN, OVER], [OVER]),
        ("hang", False, [BEGAN, OVER], [OVER]),
        ("status", False, [BEGAN, OVER], [OVER]),
        ("cut", True, [BEGAN, OVER], [OVER]),
        ("hang", True, [BEGAN, OVER], [OVER]),
        ("status", True, [BEGAN, OVER], [OVER]),
        # After it took it, with its answer lost: nobody can know, so a post is there twice; a change is not.
        ("cut-after", False, [BEGAN, BEGAN, OVER], [BEGAN, OVER]),
        ("cut-after", True, [BEGAN, OVER, OVER], [OVER]),
    ],
)
async def test_a_fault_on_the_way_loses_nothing(
    tmp_path: Path,
    hooks: FakeWebhooks,
    monkeypatch: pytest.MonkeyPatch,
    fault: FaultKind,
    at_the_end: bool,
    slack: list[str],
    discord: list[str],
) -> None:
    monkeypatch.setattr(webhook, "WEBHOOK", Deadlines(connect_s=1, first_byte_s=0.3, gap_s=0.3, total_s=0.5))
    clock = ManualClock()
    async with halext(tmp_path, hooks, clock) as app:
        story = Story(app, clock)
        await story.begin()
        await story.pass_time(20, is_on=True)
        if not at_the_end:
            hooks.fail(fault, times=2)  # each platform's first attempt
        await story.pass_time(120, is_on=False)
        if at_the_end:
            hooks.fail(fault, times=2)
        await story.pass_time(120, is_on=True)
        (over,) = await list_alerts(app, LOCAL, ListAlerts())
    assert {told.state for told in over.told} == {"done"}
    titles = {
        name: [m.shown.splitlines()[0] for m in hooks.messages if m.platform == name] for name in ("Slack", "Discord")
    }
    assert titles == {"Slack": slack, "Discord": discord}


async def test_a_platform_that_is_away_for_hours_hears_the_end_of_it(tmp_path: Path, hooks: FakeWebhooks) -> None:
    clock = ManualClock()
    async with halext(tmp_path, hooks, clock) as app:
        story = Story(app, clock)
        await story.begin()
        await hooks.kill()
        await story.pass_time(600, is_on=False)
        await story.pass_time(600, is_on=True)
        await hooks.start()
        await story.pass_time(900, is_on=True)
    assert [each.shown.splitlines()[0] for each in hooks.messages] == [OVER, OVER]


async def test_nobody_to_tell_until_a_webhook_is_stored(tmp_path: Path, hooks: FakeWebhooks) -> None:
    clock = ManualClock()
    async with halext(tmp_path, hooks, clock) as app:
        for name in ("webhook/slack", "webhook/discord"):
            await app.vault.remove(SecretRef(name))
        story = Story(app, clock)
        await story.begin()
        await story.pass_time(60, is_on=False)
        await story.pass_time(60, is_on=True)
        assert [incident.told for incident in await list_alerts(app, LOCAL, ListAlerts())] == [[]]
        await app.vault.set(SecretRef("webhook/discord"), hooks.discord_url)
        await story.pass_time(60, is_on=True)
    assert [each.shown.splitlines()[0] for each in hooks.messages] == [OVER]


async def test_a_removed_webhook_harms_no_other(tmp_path: Path, hooks: FakeWebhooks) -> None:
    clock = ManualClock()
    async with halext(tmp_path, hooks, clock) as app:
        story = Story(app, clock)
        await story.begin()
        hooks.fail("status", 404, body=b"no_service", times=2)
        await story.pass_time(60, is_on=False)
        asked = len(hooks.requests)
        await story.pass_time(1_200, is_on=False)
        assert len(hooks.requests) == asked == 2
        assert app.notifiers == {}
        await clock.advance(1)
        await app.vault.set(SecretRef("webhook/slack"), hooks.slack_url)
        await story.pass_time(60, is_on=False)
    assert [each.shown.splitlines()[0] for each in hooks.messages] == [BEGAN]
