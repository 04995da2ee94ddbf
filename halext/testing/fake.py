"""What all fake servers share: address, requests seen, faults, timeline, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypedDict

from halext.testing.clock import ScaledClock
from halext.testing.faults import Fault, Faults
from halext.testing.server import Exchange, HttpServer, Request
from halext.testing.stream import Answer, CutShort, Ended, Shape
from halext.testing.timeline import Entry, EntryKind, Timeline
from halext.types import Clock


class Refusal(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


@dataclass(slots=True)
class Call:
    """One request being answered. `number` counts from 1 and is the `request` of its timeline entries."""

    number: int
    exchange: Exchange
    answer: Answer
    body: dict[str, Any]
    model: str = ""
    is_done: bool = False

    @property
    def request(self) -> Request:
        """The request as it came."""
        return self.exchange.request


Route = Callable[[Call], Awaitable[None]]


class Common(TypedDict, total=False):
    """What every fake takes besides its own: the parameters of `Fake`."""

    clock: Clock | None
    """By default time runs 100 times as fast."""
    seed: int
    faults: Faults | None
    require_header: tuple[str, str] | None
    """The one header, name and value, without which a request is turned away with 401."""
    port: int
    """0, the default, is any free one."""


class Fake(ABC):
    """A fake server; `async with` it, or `start` and `close` it.

    `requests` holds every request seen, `timeline` what became of those that make a model work, `faults` what is still
    to go wrong. With `require_header=("authorization", "Bearer x")` all others are turned away with 401.
    """

    work_paths: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        faults: Faults | None = None,
        require_header: tuple[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.clock: Clock = clock or ScaledClock()
        self.seed = seed
        self.faults = faults or Faults()
        self.require_header = require_header
        self.timeline = Timeline()
        self.requests: list[Request] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = HttpServer(self._handle, port=port, greet=self.faults.take_connection)

    @property
    def url(self) -> str:
        """Scheme, host and port; the port stays the same over `kill` and `start`."""
        return self._server.url

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return self._server.open_connections

    async def start(self) -> None:
        """Switch it on, with nothing in its memory."""
        self._boot()
        await self._server.start()

    async def kill(self) -> None:
        """Cut its power: connections are reset, later ones refused, its memory is lost. `start` brings it back."""
        await self._server.kill()
        await self._stop_tasks()

    async def close(self) -> None:
        """Switch it off; raises what failed inside the fake, if anything did."""
        try:
            await self._server.close()
        finally:
            await self._stop_tasks()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @abstractmethod
    def _boot(self) -> None:
        """Set up what lives in memory only, and start background tasks by `_spawn`."""

    @abstractmethod
    def _routes(self) -> Mapping[str, Mapping[str, Route]]:
        """Path to method to route."""

    @abstractmethod
    def _shape(self, path: str) -> Shape:
        """How faults look before a route has chosen its own shape."""

    @abstractmethod
    def _error_body(self, refusal: Refusal) -> bytes:
        """An error in this server's words."""

    async def _unrouted(self, call: Call, *, wrong_method: bool) -> None:
        text = b"405 method not allowed" if wrong_method else b"404 page not found"
        await call.exchange.send(405 if wrong_method else 404, text, content_type="text/plain")

    async def _admit(self, call: Call) -> None:
        """Raise Refusal when the request may not come in."""
        if self.require_header is not None:
            name, value = self.require_header
            if call.request.headers.get(name.lower()) != value:
                raise Refusal(401, "unauthorized", "invalid_api_key")

    def _spawn(self, work: Coroutine[None, None, None]) -> Callable[[], object]:
        """Start background work that ends with the fake at the latest; returns what cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task.cancel

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._server.crashes.append(error)

    async def _stop_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, call: Call, kind: EntryKind, detail: str = "") -> None:
        self.timeline.add(Entry(kind, self.clock.monotonic(), call.model, call.number, detail))

    def _take(self, exchange: Exchange) -> Call:
        request = exchange.request
        self.requests.append(request)
        works = request.path in self.work_paths
        body = _json_object(request.body) if request.body else {}
        model = str(body.get("model") or "")
        plan = self.faults.take(request.path, model, works=works)

        def note(fault: Fault) -> None:
            self._note(call, "fault", f"{fault.kind} at {fault.step}")

        answer = Answer(exchange, plan, self.clock, self._shape(request.path), note)
        call = Call(len(self.requests), exchange, answer, body, self._full_name(model))
        if works:
            self._note(call, "arrival", request.path)
        return call

    async def _handle(self, exchange: Exchange) -> None:
        call = self._take(exchange)
        try:
            await self._admit(call)
            await call.answer.reach("head")
            methods = self._routes().get(self._route_path(call.request.path))
            route = methods.get(call.request.method) if methods else None
            if route is None:
                await self._unrouted(call, wrong_method=methods is not None)
            else:
                await route(call)
        except Refusal as refusal:
            await self._refuse(call, refusal)
        except CutShort:
            self._note(call, "error", "eof")
            await call.answer.end()
        except Ended as ended:
            self._note(call, "error", ended.fault.kind)
        except asyncio.CancelledError:
            if not call.is_done:
                self._note(call, "cancelled")
            raise

    def _full_name(self, model: str) -> str:
        return model

    def _route_path(self, path: str) -> str:
        return path

    async def _refuse(self, call: Call, refusal: Refusal) -> None:
        self._note(call, "error", f"{refusal.status} {refusal.text}")
        await call.exchange.send(refusal.status, self._error_body(refusal))


def _json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body; an empty one for what is none, which the routes refuse by themselves."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
