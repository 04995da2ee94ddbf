"""REST: which route a request is for, whether it may pass, and what it gets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from halext.testing.botapi.faults import CallFault, CallFaults
from halext.testing.discordapi import forms
from halext.testing.discordapi.buckets import Buckets, Grant
from halext.testing.discordapi.commands import Commands
from halext.testing.discordapi.forms import Call
from halext.testing.discordapi.gateway import Gateway
from halext.testing.discordapi.interactions import Interactions
from halext.testing.discordapi.messages import Messages
from halext.testing.discordapi.places import Places
from halext.testing.discordapi.refusal import Refusal, Unsupported
from halext.testing.discordapi.world import World

PREFIX = re.compile(r"/api/v\d+")
COUNTED = frozenset({401, 403, 429})
"""Answers that count toward a ban."""
TOO_FAST = Refusal(429, 0, "You are being rate limited.")
BAN_PAGE = b"error code: 1015"
Answer = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that a bot can ask for. `is_open` ones carry no token of the bot, as they have their own."""

    name: str
    method: str
    pattern: re.Pattern[str]
    answer: Answer
    is_open: bool = False


def route(name: str, method: str, template: str, answer: Answer, *, is_open: bool = False) -> Route:
    """A route by its template, such as `/channels/{channel}`."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
    return Route(name, method, pattern, answer, is_open)


class Api:
    """Everything below `/api/v10`. `calls` is the log, `unknown` what this fake doesn't have."""

    def __init__(self, world: World, buckets: Buckets, gateway: Gateway, interactions: Interactions) -> None:
        self.world = world
        self.buckets = buckets
        self.gateway = gateway
        self.commands = Commands(world)
        self.messages = Messages(interactions.composer, reads_all=gateway.message_content)
        self.faults = CallFaults()
        self.calls: list[Call] = []
        self.unknown: list[str] = []
        self._places = Places(world, self.messages)
        self.interactions = interactions
        self._routes = [
            *self._account(),
            *self._commands(),
            *self._conversations(),
            *self._rooms(),
            *self._answers(),
        ]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request, and the ids in its path; LookupError when there is none."""
        for one in self._routes:
            if one.method == method and (match := one.pattern.fullmatch(path)):
                return one, match.groupdict()
        raise LookupError(f"{method} {path}")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = PREFIX.sub("", request.path, count=1)
        try:
            chosen, ids = self.find(request.method, path)
        except LookupError as error:
            self.unknown.append(str(error))
            return reply(404, {"message": "404: Not Found", "code": 0})
        call = Call(chosen.name, request.method, path, ids, dict(request.query))
        call.at = self.world.clock.monotonic()
        self.calls.append(call)
        response = await self._respond(chosen, call, request)
        call.status = response.status
        if response.status in COUNTED and response.headers.get("X-RateLimit-Scope") != "shared":
            self.buckets.count_invalid()
        self.world.changed()
        return response

    async def _respond(self, chosen: Route, call: Call, request: web.BaseRequest) -> web.Response:
        try:
            call.payload, call.uploads = await forms.read(request)
        except Refusal as refusal:
            return reply(refusal.status, refusal.json())
        if self.buckets.is_banned:
            return web.Response(status=429, body=BAN_PAGE, content_type="text/plain")
        faults = self.faults.take(chosen.name)
        if (struck := await self._strike(faults, request)) is not None:
            return struck
        if not chosen.is_open and not self._knows(request):
            return reply(401, {"message": "401: Unauthorized", "code": 0})
        grant = self.buckets.take(chosen.name, _place(call), is_exempt=chosen.is_open)
        response = _limited(grant) if grant.retry_after else self._answer(chosen, call, grant.headers)
        if any(fault.cut == "after" for fault in faults):
            return cut(request)
        return response

    async def strike(self, name: str, request: web.BaseRequest) -> web.Response | None:
        """The answer that a fault gives instead of the real one, for what is not a route; None for none."""
        return await self._strike(self.faults.take(name), request)

    async def _strike(self, faults: Iterable[CallFault], request: web.BaseRequest) -> web.Response | None:
        for fault in faults:
            await self.world.clock.sleep(fault.delay_s)
            if fault.cut == "before":
                return cut(request)
            if fault.status is not None:
                return _faulty(fault)
        return None

    def _knows(self, request: web.BaseRequest) -> bool:
        return self.gateway.token_works and request.headers.get("Authorization") == f"Bot {self.gateway.token}"

    def _answer(self, chosen: Route, call: Call, headers: Mapping[str, str]) -> web.Response:
        try:
            body = chosen.answer(call)
        except Refusal as refusal:
            if refusal.retry_s:
                told = self.buckets.told(refusal.retry_s)
                return _limited(Grant({**headers, **told.headers}, told.retry_after), refusal)
            return reply(refusal.status, refusal.json(), headers)
        except Unsupported as error:
            self.unknown.append(str(error))
            return reply(400, {"message": str(error), "code": 0}, headers)
        return reply(204 if body is None else 200, body, headers)

    def _account(self) -> list[Route]:
        return [
            route("me", "GET", "/users/@me", lambda _: {**self.world.bot.json(), "verified": True, "flags": 0}),
            route("application", "GET", "/oauth2/applications/@me", lambda _: self._application()),
            route("gateway", "GET", "/gateway", lambda _: {"url": self.gateway.url}),
            route("gateway_bot", "GET", "/gateway/bot", lambda _: self._gateway_bot()),
            route("user", "GET", "/users/{user}", self._places.user),
            route("open_dm", "POST", "/users/@me/channels", self.messages.open_dm),
        ]

    def _commands(self) -> list[Route]:
        routes = []
        for place in ("/applications/{app}/commands", "/applications/{app}/guilds/{guild}/commands"):
            one = place + "/{command}"
            routes += [
                route("get_commands", "GET", place, self._get_commands),
                route("sync_commands", "PUT", place, self._sync_commands),
                route("add_command", "POST", place, self._add_command),
                route("get_command", "GET", one, self._get_command),
                route("change_command", "PATCH", one, self._change_command),
                route("remove_command", "DELETE", one, self._remove_command),
            ]
        return routes

    def _conversations(self) -> list[Route]:
        place = "/channels/{channel}/messages"
        one = place + "/{message}"
        emoji = one + "/reactions/{emoji}"
        messages = self.messages
        return [
            route("typing", "POST", "/channels/{channel}/typing", messages.type),
            route("pin", "PUT", place + "/pins/{message}", messages.pin),
            route("unpin", "DELETE", place + "/pins/{message}", messages.pin),
            route("history", "GET", place, messages.history),
            route("send_message", "POST", place, messages.send),
            route("delete_messages", "POST", place + "/bulk-delete", messages.delete_many),
            route("get_message", "GET", one, messages.get),
            route("edit_message", "PATCH", one, messages.edit),
            route("delete_message", "DELETE", one, messages.delete),
            route("react", "PUT", emoji + "/@me", messages.react),
            route("unreact", "DELETE", emoji + "/{user}", messages.unreact),
            route("start_thread", "POST", one + "/threads", self._places.start_thread),
        ]

    def _rooms(self) -> list[Route]:
        places = self._places
        return [
            route("guild", "GET", "/guilds/{guild}", places.guild),
            route("channels", "GET", "/guilds/{guild}/channels", places.channels),
            route("active_threads", "GET", "/guilds/{guild}/threads/active", places.active_threads),
            route("member", "GET", "/guilds/{guild}/members/{user}", places.member),
            route("channel", "GET", "/channels/{channel}", places.channel),
            route("change_thread", "PATCH", "/channels/{channel}", places.change_thread),
            route("remove_thread", "DELETE", "/channels/{channel}", places.remove_thread),
            route("start_thread", "POST", "/channels/{channel}/threads", places.start_thread),
            route("join_thread", "PUT", "/channels/{channel}/thread-members/{user}", places.join_thread),
            route("leave_thread", "DELETE", "/channels/{channel}/thread-members/{user}", places.join_thread),
        ]

    def _answers(self) -> list[Route]:
        place = "/webhooks/{app}/{token}"
        one = place + "/messages/{message}"
        desk = self.interactions
        callback = "/interactions/{interaction}/{token}/callback"
        return [
            route("callback", "POST", callback, desk.callback, is_open=True),
            route("send_reply", "POST", place, desk.follow_up, is_open=True),
            route("get_reply", "GET", one, desk.get, is_open=True),
            route("edit_reply", "PATCH", one, desk.edit, is_open=True),
            route("delete_reply", "DELETE", one, desk.delete, is_open=True),
        ]

    def _application(self) -> dict[str, Any]:
        bot = self.world.bot
        owner = next((user for user in self.world.users.values() if not user.is_bot), bot)
        flags = self.gateway.application_flags
        about = {"id": str(bot.id), "name": bot.name, "icon": None, "description": "", "flags": flags}
        rights = {"bot_public": False, "bot_require_code_grant": False, "verify_key": "0" * 64}
        return {**about, **rights, "owner": owner.json(), "team": None, "rpc_origins": [], "summary": ""}

    def _gateway_bot(self) -> dict[str, Any]:
        starts = {"total": 1000, "remaining": 1000, "reset_after": 86_400_000, "max_concurrency": 1}
        return {"url": self.gateway.url, "shards": 1, "session_start_limit": starts}

    def _get_commands(self, call: Call) -> list[dict[str, Any]]:
        return [one.json(self.world.bot.id) for one in self.commands.of(_scope(call))]

    def _sync_commands(self, call: Call) -> list[dict[str, Any]]:
        return [one.json(self.world.bot.id) for one in self.commands.replace(_scope(call), call.payload)]

    def _add_command(self, call: Call) -> dict[str, Any]:
        return self.commands.upsert(_scope(call), call.payload).json(self.world.bot.id)

    def _get_command(self, call: Call) -> dict[str, Any]:
        return self.commands.get(_scope(call), call.number("command")).json(self.world.bot.id)

    def _change_command(self, call: Call) -> dict[str, Any]:
        changed = self.commands.change(_scope(call), call.number("command"), call.payload)
        return changed.json(self.world.bot.id)

    def _remove_command(self, call: Call) -> None:
        self.commands.remove(_scope(call), call.number("command"))


def reply(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON as Discord sends it: clients look for exactly `application/json`, and a 204 has no type at all."""
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def cut(request: web.BaseRequest) -> web.Response:
    """Cut the connection under a request; the answer goes nowhere."""
    if request.transport:
        request.transport.abort()
    return web.Response(status=0)


def _limited(grant: Grant, refusal: Refusal = TOO_FAST) -> web.Response:
    """429. Clients take one without `Via` for a ban by the proxy in front of Discord."""
    body = {**refusal.json(), "retry_after": grant.retry_after, "global": grant.is_global}
    return reply(429, body, {**grant.headers, "Via": "1.1 google"})


def _faulty(fault: CallFault) -> web.Response:
    status = fault.status or 500
    headers = {"Via": "1.1 google"}
    if fault.body is not None:
        return web.Response(status=status, body=fault.body, headers=headers)
    body: dict[str, Any] = {"message": fault.text or f"{status}: by order", "code": 0}
    if fault.retry_after is not None:
        body |= {"retry_after": fault.retry_after, "global": False}
        headers |= {"Retry-After": str(fault.retry_after), "X-RateLimit-Scope": "user"}
    return reply(status, body, headers)


def _place(call: Call) -> str:
    """What a bucket is for: the channel or guild, or the token of an interaction."""
    return call.ids.get("token") or call.ids.get("channel") or call.ids.get("guild") or ""


def _scope(call: Call) -> int:
    return int(call.ids.get("guild", 0))
