"""Whatever a platform does, a notifier either says that the message is there or raises one of halext's errors, in time.

Every place where alerts are told runs this suite: add it to `PLACES`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import pytest

from halext.alerts.types import Alert, Notifier
from halext.errors import BadAnswer, HalextError, InvalidInput, NotFound, RateLimited, TimedOut, Unreachable
from halext.testing.webhooks import FakeWebhooks, FaultKind
from halext.upstreams import webhook
from halext.upstreams.http import Deadlines, Door
from halext.upstreams.webhook import Reach, open_webhook, parse

HERE = Reach(("127.0.0.1/32",), insecure=True)
BEGAN = Alert("hx-1-open", "mac is offline", "Offline since noon. @everyone `x` <!here>", False, 0.0, None)
OVER = Alert("hx-1-back", "mac is back", "It was offline for 12 min. @everyone `x` <!here>", True, 0.0, 720.0)


@dataclass(frozen=True)
class Place:
    """One platform: its notifier's name, and where its messages end."""

    name: str
    url: Callable[[FakeWebhooks], str]
    changes_messages: bool


PLACES = [
    Place("webhook/slack", lambda hooks: hooks.slack_url, changes_messages=False),
    Place("webhook/discord", lambda hooks: hooks.discord_url, changes_messages=True),
]


@pytest.fixture
async def hooks() -> AsyncIterator[FakeWebhooks]:
    async with FakeWebhooks() as fake:
        yield fake


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    yield made
    await made.aclose()


@pytest.fixture(params=PLACES, ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


@pytest.fixture
def notifier(place: Place, hooks: FakeWebhooks, door: Door) -> Notifier:
    return open_webhook(place.name, place.url(hooks), door, HERE)


async def test_an_incident_is_told_and_its_end_too(place: Place, notifier: Notifier, hooks: FakeWebhooks) -> None:
    ref = await notifier.send(BEGAN)
    assert 0 < len(ref) <= 255
    await notifier.edit(ref, OVER)
    began = "🔴 mac is offline\nOffline since noon. @everyone `x` <!here>"
    over = "🟢 mac is back\nIt was offline for 12 min. @everyone `x` <!here>"
    if place.changes_messages:
        assert [(each.shown, each.before) for each in hooks.messages] == [(over, [began])]
    else:
        assert [each.shown for each in hooks.messages] == [began, over]
    assert all(each.signs == [] and each.pinged == [] for each in hooks.messages)


@pytest.mark.parametrize(
    ("fault", "kind", "is_there"),
    [
        ("cut", Unreachable, False),
        ("cut-after", Unreachable, True),  # nobody can know: it is sent again, and may be there twice
        ("hang", TimedOut, False),
        ("redirect", BadAnswer, False),
        ("broken", BadAnswer, False),
        ("busy", RateLimited, False),
    ],
)
async def test_each_fault_is_an_error_and_the_next_attempt_works(
    place: Place,
    notifier: Notifier,
    hooks: FakeWebhooks,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    kind: type[HalextError],
    is_there: bool,
) -> None:
    monkeypatch.setattr(webhook, "WEBHOOK", Deadlines(connect_s=1, first_byte_s=0.3, gap_s=0.3, total_s=0.5))
    statuses = {"redirect": 307, "broken": 500, "busy": 429}

    def break_it() -> None:
        if status := statuses.get(fault):
            hooks.fail("status", status, Retry_After="12", Location="http://127.0.0.1:1/elsewhere")
        else:
            hooks.fail(cast("FaultKind", fault))

    break_it()
    with pytest.raises(kind) as failure:
        await notifier.send(BEGAN)
    assert failure.value.retryable
    assert failure.value.retry_after_s == (12.0 if fault == "busy" else None)
    assert len(hooks.messages) == is_there
    ref = await notifier.send(BEGAN)
    break_it()
    with pytest.raises(kind):
        await notifier.edit(ref, OVER)
    await notifier.edit(ref, OVER)
    assert hooks.messages[-1].shown.startswith("🟢")
    assert len(hooks.requests) == 4


async def test_a_platform_that_is_away_is_unreachable_until_it_is_back(notifier: Notifier, hooks: FakeWebhooks) -> None:
    await notifier.send(BEGAN)
    await hooks.kill()
    for _ in range(2):
        with pytest.raises(Unreachable, match="refuses the connection"):
            await notifier.send(BEGAN)
    await hooks.start()
    await notifier.send(BEGAN)
    assert len(hooks.messages) == 2


async def test_a_message_that_is_gone_is_not_found(place: Place, notifier: Notifier, hooks: FakeWebhooks) -> None:
    ref = await notifier.send(BEGAN)
    hooks.messages.clear()
    if place.changes_messages:
        with pytest.raises(NotFound):
            await notifier.edit(ref, OVER)
    else:
        await notifier.edit(ref, OVER)
        assert [each.shown[0] for each in hooks.messages] == ["🟢"]


# --- the door ---


async def test_only_public_places_by_https(place: Place, hooks: FakeWebhooks) -> None:
    with pytest.raises(InvalidInput):
        parse(place.name, place.url(hooks))
    secure = place.url(hooks).replace("http://", "https://")
    names = {"home.example": "192.168.1.20", "vpn.example": "100.64.0.9", "meta.example": "169.254.169.254"}

    async def resolve(host: str, _port: int) -> list[str]:
        return [names.get(host, "127.0.0.1"), *(["93.184.216.34"] if host == "mixed.example" else [])]

    door = Door(resolve=resolve, node_cidrs=["192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"])
    try:
        hosts = ["127.0.0.1", "localhost", "192.168.1.20", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"]
        for host in [*hosts, *names, "mixed.example"]:
            notifier = open_webhook(place.name, secure.replace("127.0.0.1", host), door)
            with pytest.raises(Unreachable, match="may not be contacted"):
                await notifier.send(BEGAN)
    finally:
        await door.aclose()
    assert hooks.requests == []


async def test_the_url_is_nowhere_to_be_read(
    place: Place, hooks: FakeWebhooks, door: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "WEBHOOK", Deadlines(connect_s=1, first_byte_s=0.2, gap_s=0.2, total_s=0.3))
    caplog.set_level(logging.DEBUG)
    hook = parse(place.name, place.url(hooks), HERE)
    notifier = open_webhook(place.name, place.url(hooks), door, HERE)
    echo = place.url(hooks).encode()
    seen = [repr(hook), repr(notifier), repr(hook.endpoint)]
    for status in (200, 400, 401, 403, 404, 410, 429, 500, 600, 302):
        hooks.fail("status", status, body=echo, Location=place.url(hooks))
    faults: tuple[FaultKind, ...] = ("cut", "cut-after", "hang")
    for fault in faults:
        hooks.fail(fault)
    for _ in range(13):
        try:
            await open_webhook(place.name, place.url(hooks), door, HERE).send(BEGAN)
        except HalextError as error:
            logging.getLogger("halext.test").exception("it failed")
            seen += [repr(error), error.message, "".join(traceback.format_exception(error))]
    assert len(hooks.requests) == 13
    assert len(seen) > 30
    shown = "\n".join([*seen, caplog.text])
    assert [secret for secret in hooks.secrets if secret in shown] == []
