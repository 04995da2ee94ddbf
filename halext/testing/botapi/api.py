"""The server's side of the Bot API: from a request to the method, with faults, the log and flood control on the way."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from halext.testing.botapi import account, files, messages, queries
from halext.testing.botapi.faults import CallFault, CallFaults
from halext.testing.botapi.flood import Flood
from halext.testing.botapi.forms import Form, read
from halext.testing.botapi.world import World
from halext.testing.fake import Refusal
from halext.testing.server import Exchange

METHODS = {
    name.lower(): (name, method)
    for part in (account, files, messages, queries)
    for name, method in part.METHODS.items()
}
"""By their names in lower case: Telegram doesn't care how they are written."""
COUNTED = re.compile(r"(?:send|edit)[A-Z]\w+")
"""The methods that flood control counts."""
MAX_POLL_S = 50


@dataclass(slots=True)
class Call:
    """One call of a method. Times are the clock's `monotonic`; `status` is 0 until it is answered."""

    method: str
    form: Form = field(repr=False)
    at: float
    status: int = 0
    answered_at: float = math.inf
    result: Any = field(default=None, repr=False)
    description: str = ""
    retry_after: float | None = None

    @property
    def chat(self) -> int:
        """The chat that it names, 0 for none."""
        return self.form.number("chat_id")


class _Flooded(Refusal):
    def __init__(self, retry_after: float) -> None:
        super().__init__(429, f"Too Many Requests: retry after {retry_after:g}")
        self.retry_after = retry_after


class Api:
    """Answers the calls of one bot. `calls` is the log, `unknown` what was called that isn't there.

    A wait of flood control is told in real seconds: those of the world's clock divided by `scale`.
    """

    def __init__(self, world: World, token: str, *, scale: float, flood: Flood, changed: Callable[[], None]) -> None:
        self.world = world
        self.clock = world.clock
        self.token = token
        self.token_works = True
        self.flood = flood
        self.faults = CallFaults()
        self.calls: list[Call] = []
        self.unknown: list[str] = []
        self._scale = scale
        self._changed = changed

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        match = re.fullmatch(r"(/file)?/bot([^/]+)/(.+)", exchange.request.path)
        if match is None:
            await exchange.send(404, _failure(404, "Not Found"))
            return
        is_file, token, name = match.groups()
        call = Call("file" if is_file else _written(name), Form(), self.clock.monotonic())
        self.calls.append(call)
        self._changed()
        try:
            await self._answer(exchange, call, token, name)
        finally:
            call.answered_at = self.clock.monotonic()
            self._changed()

    async def _answer(self, exchange: Exchange, call: Call, token: str, name: str) -> None:
        faults = self.faults.take(call.method)
        if await self._strike(exchange, call, faults):
            return
        try:
            self._admit(token)
            call.form = read(exchange.request)
            if call.method == "file":
                body, kind = self._file(name), "application/octet-stream"
            else:
                call.result = await self._perform(call)
                body, kind = json.dumps({"ok": True, "result": call.result}).encode(), "application/json"
            call.status = 200
        except Refusal as refusal:
            call.status, call.description = refusal.status, refusal.text
            call.retry_after = getattr(refusal, "retry_after", None)
            body, kind = _failure(refusal.status, refusal.text, call.retry_after), "application/json"
        if any(fault.cut == "after" for fault in faults):
            exchange.abort()
        else:
            await exchange.send(call.status, body, content_type=kind)

    async def _strike(self, exchange: Exchange, call: Call, faults: list[CallFault]) -> bool:
        """Let faults happen; True when one of them took the call's place."""
        for fault in faults:
            await self.clock.sleep(fault.delay_s)
            if fault.cut == "before":
                exchange.abort()
                return True
            if fault.status:
                call.status, call.description, call.retry_after = fault.status, fault.text, fault.retry_after
                body = fault.body if fault.body is not None else _failure(fault.status, fault.text, fault.retry_after)
                await exchange.send(fault.status, body)
                return True
        return False

    def _admit(self, token: str) -> None:
        if not re.fullmatch(r"\d+:[\w-]+", token):
            raise Refusal(404, "Not Found")
        if token != self.token or not self.token_works:
            raise Refusal(401, "Unauthorized")

    def _file(self, path: str) -> bytes:
        for file in self.world.files.values():
            if file.path == path and len(file.upload.data) <= files.MAX_DOWNLOAD:
                return file.upload.data
        raise Refusal(404, "Not Found")

    async def _perform(self, call: Call) -> Any:
        form = call.form
        if call.method == "getUpdates":
            self.world.updates.allow(form.nested("allowed_updates"))
            wait = min(max(form.number("timeout"), 0), MAX_POLL_S)
            return await self.world.updates.poll(form.number("offset"), form.number("limit", 100), wait)
        return self._run(call)

    def _run(self, call: Call) -> Any:
        if call.method.lower() not in METHODS:
            self.unknown.append(call.method)
            raise Refusal(404, "Not Found")
        if COUNTED.fullmatch(call.method):
            self._check_flood(call)
        return METHODS[call.method.lower()][1](self.world, call.form)

    def _check_flood(self, call: Call) -> None:
        chat = self.world.chats.get(call.chat)
        if chat is None:
            return  # the call fails for this, or it edits a message that was sent inline
        cost = len(call.form.items("media")) if call.method == "sendMediaGroup" else 1
        wait = self.flood.wait_for(chat.id, self.clock.monotonic(), is_group=chat.is_group, cost=cost)
        if wait:
            raise _Flooded(math.ceil(wait) if self._scale == 1 else round(max(wait / self._scale, 0.001), 3))

    def call_by_webhook(self, answer: dict[str, Any]) -> None:
        """Do what a webhook asks for by its answer; nobody hears of its result."""
        call = Call(_written(str(answer["method"])), Form(answer), self.clock.monotonic())
        self.calls.append(call)
        try:
            call.result, call.status = self._run(call), 200
        except Refusal as refusal:
            call.status, call.description = refusal.status, refusal.text
        call.answered_at = self.clock.monotonic()
        self._changed()


def _written(name: str) -> str:
    """A method's name as the documentation writes it."""
    return "getUpdates" if name.lower() == "getupdates" else METHODS.get(name.lower(), (name, None))[0]


def _failure(status: int, text: str, retry_after: float | None = None) -> bytes:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": text}
    if retry_after is not None:
        body["parameters"] = {"retry_after": retry_after}
    return json.dumps(body).encode()
