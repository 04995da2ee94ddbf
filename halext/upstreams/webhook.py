"""Alerts told by the incoming webhooks of Slack and Discord.

The URL of a webhook is its key: whoever has it may post. It stands in the vault, and in no log line, error or repr.
What nodes are called and say is shown letter by letter: it is no markup, no link and no mention.

Neither platform knows keys for messages that come by webhook. A message whose answer got lost on the way is sent again:
it may be there twice, and it is never missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import msgspec

from halext.alerts.types import Alert
from halext.dialects.failures import parse_retry_after
from halext.errors import BadAnswer, HalextError, InvalidInput, KeyRefused, NotFound, RateLimited, RequestRefused
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.address import PUBLIC, place
from halext.upstreams.allowed import DISCORD_HOOK, SLACK_HOOK
from halext.upstreams.http import Answer, Deadlines, Door

Platform = Literal["Slack", "Discord"]
PLATFORMS: Mapping[str, Platform] = {"webhook/slack": "Slack", "webhook/discord": "Discord"}
"""By the name under which the URL is kept in the vault; the notifier has the same name."""

WEBHOOK = Deadlines(connect_s=4.0, first_byte_s=10.0, gap_s=4.0, total_s=12.0)
"""Over before the watch gives the place up, so that it hears what happened."""
MAX_ANSWER = 64 * 1024
MAX_TEXT = 900
"""Characters of an alert: escaped it may be twice as long, and Discord takes 2,000."""

_FINE, _GONE, _REFUSED = range(200, 300), frozenset({404, 410}), range(400, 500)
_URL = re.compile(r"(?P<origin>https?://[^/?#\s]+)(?P<path>/[^?#\s]*)", re.IGNORECASE)
_PATHS: Mapping[Platform, re.Pattern[str]] = {"Slack": re.compile(SLACK_HOOK), "Discord": re.compile(DISCORD_HOOK)}
_SHAPES: Mapping[Platform, str] = {
    "Slack": "https://hooks.slack.com/services/T…/B…/…",
    "Discord": "https://discord.com/api/webhooks/…/…",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where webhooks may be: at public addresses by https. Tests reach for a fake on their own machine."""

    cidrs: tuple[str, ...] = tuple(map(str, PUBLIC))
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook's URL taken apart: where it is, and the path that is its key."""

    endpoint: Endpoint
    path: str = field(repr=False)


def parse(name: str, url: str, reach: Reach | None = None) -> Hook:
    """The webhook of this name. Raises `InvalidInput`, whose words don't repeat the URL."""
    reach, platform = reach or Reach(), PLATFORMS[name]
    found = _URL.fullmatch(url.strip())
    wrong = f"This is no webhook of {platform}: its URL looks like {_SHAPES[platform]}"
    if found is None or not _PATHS[platform].fullmatch(found["path"]):
        raise InvalidInput(wrong)
    try:
        spot = place(found["origin"])
    except InvalidInput:
        raise InvalidInput(wrong) from None
    if spot.scheme != "https" and not reach.insecure:
        raise InvalidInput(wrong)
    return Hook(
        Endpoint(
            id=EndpointId(name),
            node=NodeName(platform),
            kind="webhook",
            url=spot.url,
            cidrs=reach.cidrs,
            insecure=reach.insecure,
        ),
        found["path"],
    )


class Webhook:
    """What both platforms share: one call, and what its failure means."""

    def __init__(self, door: Door, hook: Hook) -> None:
        self._door = door
        self._hook = hook
        self.is_removed = False
        """Whether the platform said that it does not know this webhook: it is never asked again."""

    async def _call(self, method: str, path: str, body: Mapping[str, object]) -> Answer:
        if self.is_removed:
            self._say_removed()
        return await self._door.request(
            self._hook.endpoint,
            method,
            path,
            json=msgspec.json.encode(body),
            # A connection that is used once: on an idle one the door would ask again by itself when it is cut.
            headers={"connection": "close"},
            deadlines=WEBHOOK,
            max_body=MAX_ANSWER,
        )

    def _say_removed(self) -> NoReturn:
        self.is_removed = True
        endpoint = self._hook.endpoint
        raise self._because(
            KeyRefused,
            f"{endpoint.node} does not know this webhook any more; make a new one there, and store its URL with "
            f"`halext key set {endpoint.id}`.",
        )

    def _because(self, kind: type[KeyRefused | BadAnswer | RateLimited | RequestRefused], text: str) -> HalextError:
        return kind(text, node=self._hook.endpoint.node, endpoint=self._hook.endpoint.id)

    def _failure(self, answer: Answer, detail: str, retry_after_s: float | None) -> HalextError:
        """What any other status means. Of the platform's words only its short codes go on."""
        said = f"{self._hook.endpoint.node} answers with status {answer.status}{f' ({detail})' if detail else ''}"
        match answer.status:
            case 429 | 503:
                error = self._because(RateLimited, f"{said}: too many messages; they are sent later.")
                error.retry_after_s = retry_after_s
                return error
            case status if status in _REFUSED:
                return self._because(RequestRefused, f"{said}: it refuses the message.")
            case _:
                return self._because(BadAnswer, f"{said}: it is in trouble itself.")


class SlackWebhook(Webhook):
    """A channel of Slack's. Its messages can't be changed afterwards: the end of an incident is a second message."""

    async def send(self, alert: Alert, /) -> str:
        """Post it. Slack says no name for a message, so this is our own."""
        answer = await self._call("POST", self._hook.path, slack_body(alert))
        if answer.status in _FINE and answer.body.strip() == b"ok":
            return alert.key
        if answer.status in _GONE:
            self._say_removed()
        if answer.status in _FINE:
            raise self._because(BadAnswer, "Slack did not say `ok`: the message may not be there.")
        code = answer.body.decode("ascii", "replace").strip()
        detail = code if re.fullmatch("[a-z_]{1,40}", code) else ""
        raise self._failure(answer, detail, parse_retry_after(answer.headers.get("retry-after")))

    async def edit(self, ref: str, alert: Alert, /) -> None:
        """Say what is new in a message of its own."""
        del ref
        await self.send(alert)


class DiscordWebhook(Webhook):
    """A channel of Discord's."""

    async def send(self, alert: Alert, /) -> str:
        """Post it; "" where Discord takes it and does not say what it is called."""
        answer = await self._call("POST", f"{self._hook.path}?wait=true", discord_body(alert))
        if answer.status in _FINE:
            number = str(_fields(answer).get("id", ""))
            return number if re.fullmatch("[0-9]{1,20}", number) else ""
        code = _code(answer)
        if answer.status in _GONE or code in {_UNKNOWN_WEBHOOK, _WRONG_TOKEN}:
            self._say_removed()
        raise self._discord_failure(answer, code)

    async def edit(self, ref: str, alert: Alert, /) -> None:
        """Change it. `NotFound` also where Discord takes no more changes of a message, since it is too old."""
        if not ref:
            raise NotFound("Discord did not say what the message is called.")
        answer = await self._call("PATCH", f"{self._hook.path}/messages/{ref}", discord_body(alert))
        if answer.status in _FINE:
            return
        code = _code(answer)
        if code in {_UNKNOWN_WEBHOOK, _WRONG_TOKEN}:
            self._say_removed()
        if answer.status in _GONE or code in {_TOO_OLD, _NOT_OURS}:
            raise NotFound("The message is gone, or takes no more changes.")
        raise self._discord_failure(answer, code)

    def _discord_failure(self, answer: Answer, code: int) -> HalextError:
        again = _fields(answer).get("retry_after")
        seconds = parse_retry_after(answer.headers.get("retry-after"))
        if seconds is None and isinstance(again, int | float):
            seconds = parse_retry_after(str(again))
        return self._failure(answer, f"code {code}" if code else "", seconds)


_UNKNOWN_WEBHOOK, _WRONG_TOKEN, _TOO_OLD, _NOT_OURS = 10_015, 50_027, 30_046, 50_005
_NO_PREVIEWS = 1 << 2
"""The flag with which Discord shows no previews of links."""


def open_webhook(name: str, url: str, door: Door, reach: Reach | None = None) -> SlackWebhook | DiscordWebhook:
    """The notifier for a stored URL. Raises `InvalidInput`."""
    hook = parse(name, url, reach)
    return SlackWebhook(door, hook) if PLATFORMS[name] == "Slack" else DiscordWebhook(door, hook)


def slack_body(alert: Alert) -> dict[str, object]:
    """The alert as Slack takes it."""
    return {"text": escape_slack(_plain(alert)), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def discord_body(alert: Alert) -> dict[str, object]:
    """The alert as Discord takes it, for a new message and for a changed one."""
    return {
        "content": escape_discord(_plain(alert)),
        "allowed_mentions": {"parse": []},
        "flags": _NO_PREVIEWS,
    }


def _plain(alert: Alert) -> str:
    text = f"{'🟢' if alert.is_over else '🔴'} {alert.title}\n{alert.text}"
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


_BREAK = "\N{ZERO WIDTH SPACE}"
"""Parts what would be read as one thing, and shows nothing."""
_SIGNS = re.compile(r"[\\*_~`|<>#\[\]]|^[ \t]*[-+](?=\s)|^[ \t]*[0-9]+\.(?=\s)", re.MULTILINE)


def escape_discord(text: str) -> str:
    """Text that Discord shows as it is: no markup, no mention, no link."""
    quoted = _SIGNS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text)
    return quoted.replace("@", f"@{_BREAK}").replace("://", ":\\//")


def escape_slack(text: str) -> str:
    """Text that Slack shows as it is, where `mrkdwn` is off."""
    quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return quoted.replace("@", f"@{_BREAK}").replace("://", f":{_BREAK}//")


def _fields(answer: Answer) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: Answer) -> int:
    code = _fields(answer).get("code", 0)
    return code if isinstance(code, int) else 0
