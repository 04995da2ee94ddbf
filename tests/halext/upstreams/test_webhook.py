"""What is sent to webhooks, and what their answers mean; how they are on the wire shows contracts/test_notifier.py."""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from halext.alerts.types import Alert
from halext.errors import BadAnswer, HalextError, InvalidInput, KeyRefused, NotFound, RateLimited, RequestRefused
from halext.testing.webhooks import FakeWebhooks, HookFault, read_discord, read_slack
from halext.upstreams.http import Door
from halext.upstreams.webhook import (
    DiscordWebhook,
    Reach,
    SlackWebhook,
    discord_body,
    open_webhook,
    parse,
    slack_body,
)

HERE = Reach(("127.0.0.1/32",), insecure=True)
SLACK = "https://hooks.slack.com/services/T0AB/B0CD/abcDEF123"
DISCORD = "https://discord.com/api/webhooks/1234/ab_C-d9"
ALERT = Alert("hx-1-open", "mac is offline", "Offline since noon.", is_over=False, started_at=0.0, ended_at=None)


def alert(text: str) -> Alert:
    return Alert("hx-1-open", text, text, is_over=True, started_at=0.0, ended_at=1.0)


@pytest.fixture
async def hooks() -> AsyncIterator[FakeWebhooks]:
    async with FakeWebhooks() as fake:
        yield fake


# --- urls ---


@pytest.mark.parametrize(
    ("name", "url", "origin"),
    [
        ("webhook/slack", SLACK, "https://hooks.slack.com:443"),
        ("webhook/slack", f" {SLACK}\n", "https://hooks.slack.com:443"),
        ("webhook/slack", "https://chat.example.org:8443/services/T/B/x", "https://chat.example.org:8443"),
        ("webhook/discord", DISCORD, "https://discord.com:443"),
        ("webhook/discord", "HTTPS://Canary.Discord.com/api/v10/webhooks/1/x", "https://canary.discord.com:443"),
    ],
)
def test_a_url_is_taken_apart(name: str, url: str, origin: str) -> None:
    hook = parse(name, url)
    assert hook.endpoint.url == origin
    assert (hook.endpoint.id, hook.endpoint.kind, hook.endpoint.insecure) == (name, "webhook", False)
    assert hook.path == url.strip()[len(url.strip()) - len(hook.path) :]
    assert hook.path not in repr(hook)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("webhook/slack", ""),
        ("webhook/slack", "hunter2SECRET"),
        ("webhook/slack", SLACK.replace("https", "http")),
        ("webhook/slack", SLACK.replace("https", "ftp")),
        ("webhook/slack", f"{SLACK}?x=SECRET"),
        ("webhook/slack", f"{SLACK}#SECRET"),
        ("webhook/slack", f"{SLACK}/SECRET"),
        ("webhook/slack", SLACK.replace("/T0AB", "/..")),
        ("webhook/slack", SLACK.replace("https://", "https://user:SECRET@")),
        ("webhook/slack", SLACK.replace("T0AB", "%54")),
        ("webhook/slack", DISCORD),
        ("webhook/discord", SLACK),
        ("webhook/discord", f"{DISCORD}/messages/1"),
        ("webhook/discord", f"{DISCORD}/slack"),
        ("webhook/discord", DISCORD.replace("discord.com", "0x7f.1")),
        ("webhook/discord", DISCORD.replace("discord.com", "disc ord.com")),
        ("webhook/discord", DISCORD.replace("1234", "me")),
    ],
)
def test_what_is_no_webhook_is_said_without_repeating_it(name: str, url: str) -> None:
    with pytest.raises(InvalidInput, match="its URL looks like https://") as failure:
        parse(name, url)
    shown = "".join(traceback.format_exception(failure.value))
    assert "SECRET" not in shown
    assert "ab_C-d9" not in failure.value.message


# --- texts ---

HOSTILE = [
    "@everyone @here <@1234> <@&99> <!channel> <!here|x> <@U123> <#C1|x>",
    "`code` ```block``` *bold* _it_ ~s~ ||spoiler|| > quote # head [a](https://evil.example)",
    "\\@everyone \\` \\\\* &lt;!channel&gt; &amp; & <https://evil.example|click>",
    "> quote\n# head\n- point\n+ point\n1. one\n-# small\n  - deeper\n>>> all",
    "http://192.168.1.20:11434 https://evil.example/x?y=`z`",
]

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\u200b"), max_size=120)


@example(HOSTILE[0])
@example(HOSTILE[1])
@example(HOSTILE[2])
@example(HOSTILE[3])
@example(HOSTILE[4])
@given(WORDS | st.text("@everyon<!>`*\\_-#:/ht1.&;lt\n ", max_size=120))
def test_what_nodes_say_is_shown_letter_by_letter(text: str) -> None:
    plain = f"🟢 {text}\n{text}"
    for body, (shown, signs) in (
        (slack_body(alert(text)), read_slack(str(slack_body(alert(text))["text"]), is_plain=True)),
        (discord_body(alert(text)), read_discord(str(discord_body(alert(text))["content"]))),
    ):
        assert shown == plain
        assert signs == []
        assert body.get("mrkdwn") is False or body["allowed_mentions"] == {"parse": []}


def test_markup_at_the_beginning_of_a_line_is_none() -> None:
    content = str(discord_body(alert(HOSTILE[3]))["content"])
    for line in content.splitlines():
        assert not line.lstrip().startswith(("- ", "+ ", "> ", "# ", "1. "))


@pytest.mark.parametrize("text", ["\\", "*", "@", "://", "<", "&", "\n- ", "\U0001f534"])
def test_the_longest_text_fits(text: str) -> None:
    assert len(str(discord_body(alert(text * 5_000))["content"]).encode("utf-16-le")) <= 2 * 2_000
    assert len(str(slack_body(alert(text * 5_000))["text"])) <= 40_000


# --- answers ---


def failing(name: str, door: Door, hooks: FakeWebhooks) -> SlackWebhook | DiscordWebhook:
    return open_webhook(name, hooks.slack_url if name == "webhook/slack" else hooks.discord_url, door, HERE)


@pytest.mark.parametrize(
    ("name", "status", "body", "kind", "words"),
    [
        ("webhook/slack", 200, b"<html>", BadAnswer, "`ok`"),
        ("webhook/slack", 400, b"invalid_payload", RequestRefused, "invalid_payload"),
        ("webhook/slack", 403, b"action_prohibited", RequestRefused, "action_prohibited"),
        ("webhook/slack", 403, b"T0 SECRET <b>", RequestRefused, r"status 403: "),
        ("webhook/slack", 404, b"no_service", KeyRefused, "halext key set webhook/slack"),
        ("webhook/slack", 410, b"channel_is_archived", KeyRefused, "halext key set webhook/slack"),
        ("webhook/slack", 500, b"rollup_error", BadAnswer, "rollup_error"),
        ("webhook/slack", 302, b"", BadAnswer, "redirect refused"),
        ("webhook/discord", 400, b'{"code": 50035, "message": "SECRET"}', RequestRefused, r"code 50035"),
        ("webhook/discord", 400, b"[" * 5_000, RequestRefused, "status 400: "),
        ("webhook/discord", 401, b'{"code": 50027}', KeyRefused, "halext key set webhook/discord"),
        ("webhook/discord", 403, b'{"code": 40333}', RequestRefused, "code 40333"),
        ("webhook/discord", 404, b'{"code": 10015}', KeyRefused, "halext key set webhook/discord"),
        ("webhook/discord", 404, b"", KeyRefused, "halext key set webhook/discord"),
        ("webhook/discord", 502, b"<html>", BadAnswer, "in trouble itself"),
        ("webhook/discord", 200, b"x" * 100_000, BadAnswer, "more than 65,536 bytes"),
    ],
)
async def test_what_a_refusal_means(
    hooks: FakeWebhooks, door: Door, name: str, status: int, body: bytes, kind: type[HalextError], words: str
) -> None:
    hooks.fail("status", status, body=body)
    with pytest.raises(kind, match=words) as failure:
        await failing(name, door, hooks).send(ALERT)
    assert type(failure.value) is kind
    assert "SECRET" not in failure.value.message


@pytest.mark.parametrize(
    ("name", "headers", "body", "seconds"),
    [
        ("webhook/slack", {"Retry-After": "30"}, b"rate_limited", 30.0),
        ("webhook/slack", {}, b"", None),
        ("webhook/slack", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"", None),
        ("webhook/discord", {"Retry-After": "65"}, b'{"retry_after": 64.57}', 65.0),
        ("webhook/discord", {}, b'{"message": "You are being rate limited.", "retry_after": 64.57}', 64.57),
        ("webhook/discord", {}, b'{"retry_after": "soon"}', None),
        ("webhook/discord", {}, b'{"retry_after": NaN}', None),
        ("webhook/discord", {}, b"error code: 1015", None),
    ],
)
async def test_how_long_a_platform_wants_to_rest(
    hooks: FakeWebhooks, door: Door, name: str, headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    hooks.faults.append(HookFault("status", 429, headers, body))
    with pytest.raises(RateLimited) as failure:
        await failing(name, door, hooks).send(ALERT)
    assert failure.value.retry_after_s == seconds


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, 10_008, NotFound),
        (404, 0, NotFound),
        (403, 50_005, NotFound),
        (429, 30_046, NotFound),
        (404, 10_015, KeyRefused),
        (401, 50_027, KeyRefused),
        (429, 0, RateLimited),
        (400, 50_035, RequestRefused),
        (500, 0, BadAnswer),
    ],
)
async def test_a_message_that_cannot_be_changed(
    hooks: FakeWebhooks, door: Door, status: int, code: int, kind: type[HalextError]
) -> None:
    hook = failing("webhook/discord", door, hooks)
    ref = await hook.send(ALERT)
    hooks.fail("status", status, body=json.dumps({"code": code}).encode())
    with pytest.raises(kind) as failure:
        await hook.edit(ref, ALERT)
    assert type(failure.value) is kind


async def test_a_message_without_a_name_is_not_sent_again_and_again(hooks: FakeWebhooks, door: Door) -> None:
    hook = failing("webhook/discord", door, hooks)
    for body in (b"", b"{}", b'{"id": "../../x"}', b"[]", b"\xff"):
        hooks.fail("status", 200, body=body)
        assert await hook.send(ALERT) == ""
    with pytest.raises(NotFound):
        await hook.edit("", ALERT)


async def test_a_webhook_that_was_removed_is_not_asked_again(hooks: FakeWebhooks, door: Door) -> None:
    hooks.is_removed = True
    for name in ("webhook/slack", "webhook/discord"):
        hook = failing(name, door, hooks)
        for _ in range(3):
            with pytest.raises(KeyRefused, match="does not know this webhook any more"):
                await hook.send(ALERT)
        assert hook.is_removed
    assert len(hooks.requests) == 2
