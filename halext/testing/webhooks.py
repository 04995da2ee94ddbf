"""Incoming webhooks of Slack and Discord on a real socket, strict about what they take, and faulty on request.

    async with FakeWebhooks() as hooks:
        ...  # have alerts posted to hooks.slack_url and hooks.discord_url
        assert hooks.messages[0].shown == "🔴 mac is offline"

A message is kept as people read it, with everything in it that was markup, a link or a mention.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from halext.testing.server import Exchange, HttpServer, Request

FaultKind = Literal["cut", "cut-after", "hang", "status"]
"""The connection is cut before the message is taken, or after it; no answer comes; this status is answered."""

_SLACK_FIELDS = {"text", "mrkdwn", "unfurl_links", "unfurl_media", "link_names", "parse"}
_DISCORD_FIELDS = {"content", "allowed_mentions", "flags"}
_SLACK_TEXT, _DISCORD_TEXT = 40_000, 2_000
_MENTION = re.compile(r"@everyone|@here|<@[!&]?[0-9]+>")
_LINK = re.compile(r"https?://\S")
_DISCORD_SIGNS = frozenset("*_~`|<>#[]")
_INVISIBLE = "\N{ZERO WIDTH SPACE}"


@dataclass(frozen=True, slots=True)
class HookFault:
    """What goes wrong with one request."""

    kind: FaultKind
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Posted:
    """A message in a channel."""

    platform: Literal["Slack", "Discord"]
    id: str
    shown: str
    """As people read it."""
    signs: list[str]
    """What in it was markup, a link or a mention."""
    pinged: list[str]
    """Who was called by it."""
    before: list[str] = field(default_factory=list)
    """What it said before it was changed."""


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


class FakeWebhooks:
    """Both platforms on one address. `messages` is what was posted, `requests` all that came, `faults` what is due."""

    def __init__(self, *, port: int = 0) -> None:
        self.messages: list[Posted] = []
        self.requests: list[Request] = []
        self.faults: deque[HookFault] = deque()
        self.is_removed = False
        """Whether somebody removed both webhooks at the platform."""
        self._changed = asyncio.Event()
        self._server = HttpServer(self._handle, port=port)
        self._slack_path = "/services/T00000000/B00000000/slackSECRETslackSECRET24"
        self._discord_path = "/api/webhooks/1234567890/discordSECRET-discord_SECRET"
        self.secrets = ("slackSECRETslackSECRET24", "discordSECRET-discord_SECRET")
        """What may stand nowhere but in the paths of requests."""

    @property
    def slack_url(self) -> str:
        """The whole URL, which is its key."""
        return self._server.url + self._slack_path

    @property
    def discord_url(self) -> str:
        """The whole URL, which is its key."""
        return self._server.url + self._discord_path

    def fail(self, kind: FaultKind, status: int = 500, *, times: int = 1, body: bytes = b"", **headers: str) -> None:
        """Let the next requests go wrong; `headers` are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.extend([HookFault(kind, status, named, body)] * times)

    async def wait_for(self, messages: int = 1, changes: int = 0, timeout_s: float = 20.0) -> list[Posted]:
        """The messages, once there are so many of them with so many changes in all."""
        async with asyncio.timeout(timeout_s):
            while len(self.messages) < messages or sum(len(each.before) for each in self.messages) < changes:
                self._changed.clear()
                await self._changed.wait()
        return self.messages

    async def start(self) -> None:
        """Listen; where it listened before, after `kill`."""
        await self._server.start()

    async def kill(self) -> None:
        """Be gone: connections are reset and refused until `start`."""
        await self._server.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._server.close()

    async def _handle(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and fault.kind != "cut-after":
            await self._misbehave(exchange, fault)
            return
        try:
            status, body = self._take(exchange.request)
        except Refused as refused:
            status, body = refused.status, refused.body
        if fault is not None:
            exchange.abort()
            return
        kind = "text/html" if body in {b"ok", b""} else "application/json"
        await exchange.send(status, body, content_type=kind)

    async def _misbehave(self, exchange: Exchange, fault: HookFault) -> None:
        if fault.kind == "cut":
            exchange.abort()
        elif fault.kind == "hang":
            await asyncio.Event().wait()  # cancelled when the client leaves
        else:
            await exchange.send(fault.status, fault.body, headers=fault.headers)

    def _take(self, request: Request) -> tuple[int, bytes]:
        if request.path == self._slack_path:
            return self._slack(request)
        found = re.fullmatch(r"/api/webhooks/([0-9]+)/([^/]+)(?:/messages/([0-9]+))?", request.path)
        if found is None:
            raise Refused(404, b"no_service")
        if self.is_removed or found[1] not in self._discord_path:
            raise _discord_error(404, 10_015, "Unknown Webhook")
        if found[2] not in self._discord_path:
            raise _discord_error(401, 50_027, "Invalid Webhook Token")
        return self._discord(request, found[3])

    def _slack(self, request: Request) -> tuple[int, bytes]:
        if self.is_removed:
            raise Refused(404, b"no_service")
        if request.method != "POST":
            raise Refused(400, b"invalid_method")
        payload = _payload(request)
        text = payload.get("text")
        if payload.keys() - _SLACK_FIELDS or not isinstance(text, str) or not 0 < len(text) <= _SLACK_TEXT:
            raise Refused(400, b"invalid_payload")
        shown, signs = read_slack(text, is_plain=payload.get("mrkdwn") is False)
        self._put(Posted("Slack", str(len(self.messages) + 1), shown, signs, signs))
        return 200, b"ok"

    def _discord(self, request: Request, number: str | None) -> tuple[int, bytes]:
        payload = _payload(request)
        content = payload.get("content")
        if payload.keys() - _DISCORD_FIELDS or not isinstance(content, str) or not 0 < len(content) <= _DISCORD_TEXT:
            raise _discord_error(400, 50_035, "Invalid Form Body")
        shown, signs = read_discord(content)
        mentions = _MENTION.findall(content) if payload.get("allowed_mentions") != {"parse": []} else []
        if number is None:
            if request.method != "POST":
                raise _discord_error(405, 0, "405: Method Not Allowed")
            self._put(Posted("Discord", str(9_000 + len(self.messages)), shown, signs, mentions))
            return (200, _message(self.messages[-1])) if request.query.get("wait") == "true" else (204, b"")
        known = next((each for each in self.messages if each.id == number and each.platform == "Discord"), None)
        if known is None:
            raise _discord_error(404, 10_008, "Unknown Message")
        if request.method != "PATCH":
            raise _discord_error(405, 0, "405: Method Not Allowed")
        known.before.append(known.shown)
        known.shown, known.signs, known.pinged = shown, signs, known.pinged + mentions
        self._changed.set()
        return 200, _message(known)

    def _put(self, message: Posted) -> None:
        self.messages.append(message)
        self._changed.set()


def read_slack(text: str, *, is_plain: bool) -> tuple[str, list[str]]:
    """What people read, and what in it was more than text."""
    signs = re.findall(r"<[^<>]*>|[<>]|&(?!amp;|lt;|gt;)", text)
    signs += _LINK.findall(text)
    signs += [] if is_plain else re.findall(r"[*_~`]", text)
    return html.unescape(text).replace(_INVISIBLE, ""), signs


def read_discord(content: str) -> tuple[str, list[str]]:
    """What people read, and what in it was more than text."""
    shown, signs, at = "", [], 0
    while at < len(content):
        here, after = content[at], content[at + 1 : at + 2]
        if here == "\\" and after and not after.isalnum() and not after.isspace():
            shown, at = shown + after, at + 2
            continue
        if found := _MENTION.match(content, at) or _LINK.match(content, at):
            signs.append(found[0])
        elif here in _DISCORD_SIGNS:
            signs.append(here)
        shown, at = shown + here, at + 1
    return shown.replace(_INVISIBLE, ""), signs


def _payload(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except ValueError:
        found = None
    if request.headers.get("content-type", "").partition(";")[0] != "application/json" or not isinstance(found, dict):
        raise Refused(400, b"invalid_payload")
    return found


def _message(message: Posted) -> bytes:
    return json.dumps({"id": message.id, "type": 0, "content": message.shown}).encode()


def _discord_error(status: int, code: int, text: str) -> Refused:
    return Refused(status, json.dumps({"message": text, "code": code}).encode())
