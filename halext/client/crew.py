"""The workers of a map: as many per node as the node has slots, each taking the next item when it is free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, assert_never

from halext.client import verbs
from halext.client.outcome import Outcome
from halext.client.plan import Plan
from halext.client.pool import Item, Pool
from halext.client.progress import Progress
from halext.client.reply import Reply
from halext.client.verbs import Question
from halext.errors import (
    AccessError,
    BadAnswer,
    CapacityError,
    ConfigError,
    HalextError,
    Internal,
    Interrupted,
    KeyRefused,
    ModelMissing,
    NoNodeHasModel,
    NoNodeOnline,
    RateLimited,
    TimedOut,
    TooManyRequests,
    UnknownModel,
    UnknownNode,
    Unreachable,
)
from halext.messages import ChatRequest
from halext.runtime.control import Control
from halext.runtime.shapes import ModelRow, NodeInfo, Nothing
from halext.runtime.verbs.models import list_models
from halext.runtime.verbs.nodes import list_nodes
from halext.types import Clock, NodeName

LOOK_S = 5.0
"""How often the nodes are looked at while a map runs: new ones join in, and those that left are left alone."""
PATIENCE_S = 600.0
"""How long a map waits when no node can do anything: long enough for a computer to start again."""
MOST_ATTEMPTS = 3
"""How often an item may break off or be answered badly, each time by another node if there is one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""How long a node that can't take anything is left alone where nobody says how long; doubled each time."""

Verdict = Literal["wait", "again", "fail", "end"]


def verdict(error: HalextError, attempts: int) -> Verdict:
    """What an error means.

    wait: it says nothing about the item; the node is left alone for a while, and others may have the item.
    again: the item is tried once more. fail: it is a failure. end: the whole map can't go on.
    """
    match error:
        case CapacityError() | TooManyRequests() | RateLimited() | Unreachable():
            return "wait"
        case ModelMissing() | UnknownModel() | UnknownNode() | KeyRefused():
            return "wait"  # this node can't any more; the next look says so too
        case Interrupted() | TimedOut() | BadAnswer() | Internal():
            return "again" if attempts < MOST_ATTEMPTS else "fail"
        case AccessError() | ConfigError():
            return "end"
        case _:
            return "fail"


@dataclass(slots=True)
class Post:
    """A node, as far as this map is concerned."""

    slots: int = 0
    at_work: int = 0
    pauses: int = 0
    """How often it had to be left alone since it last answered."""
    until: float = 0.0


class Crew:
    """Works through a pool with whatever nodes there are."""

    def __init__(
        self,
        plan: Plan,
        pool: Pool,
        progress: Progress,
        keep: Callable[[Item, Outcome], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._pool = pool
        self._progress = progress
        self._keep = keep
        self._clock = clock
        self._posts: dict[str, Post] = {}
        self._look_now = asyncio.Event()
        self._went_well = clock.monotonic()
        self._trouble: HalextError | None = None

    async def run(self, control: Control, greet: Callable[[ModelRow], Awaitable[None]]) -> None:
        """Until the pool is empty. `greet` is shown the model first, and may refuse it by raising.

        Raises what makes going on impossible, such as `UnknownModel`, and what kept everyone from working for ten
        minutes.
        """
        row, nodes = await self._listing(control)
        if row is not None:
            await greet(row)
        self._post(row, nodes)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._keep_looking(control, group))
            await self._pool.emptied()
            looking.cancel()

    # --- who works ---

    async def _listing(self, control: Control) -> tuple[ModelRow | None, list[NodeInfo]]:
        rows, nodes = await control.call(list_models, Nothing()), await control.call(list_nodes, Nothing())
        row = next((row for row in rows if same_name(row.name, self._plan.model)), None)
        if self._plan.node is not None and self._plan.node not in {node.name for node in nodes}:
            raise UnknownNode(f"There is no node called {self._plan.node!r}.")
        if row is None and rows:
            raise UnknownModel(f"No node has the model {self._plan.model!r}; `hx.models` lists what there is.")
        return row, nodes

    def _post(self, row: ModelRow | None, nodes: list[NodeInfo]) -> None:
        """Note how much each node can do now."""
        slots = slots_of(row, nodes, only=self._plan.node)
        for node in {*self._posts, *slots}:
            self._posts.setdefault(node, Post()).slots = slots.get(node, 0)
        if not slots:
            what = f"no node that has {self._plan.model!r} takes requests now"
            self._trouble = NoNodeHasModel(f"{what}.") if row else NoNodeOnline()
            self._progress.note = self._trouble.message

    async def _keep_looking(self, control: Control, group: asyncio.TaskGroup) -> None:
        while True:
            self._hire(control, group)
            now = self._clock.monotonic()
            rest = min([LOOK_S, *(post.until - now for post in self._posts.values() if post.until > now)])
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._look_now.wait()
            self._look_now.clear()
            self._refuse_to_wait_for_ever()
            try:
                self._post(*await self._listing(control))
            except HalextError as error:
                if verdict(error, 0) == "end":
                    raise
                self._trouble, self._progress.note = error, error.message
            await self._pool.wake()

    def _refuse_to_wait_for_ever(self) -> None:
        if not self._pool.in_hand and self._clock.monotonic() - self._went_well > PATIENCE_S and self._trouble:
            raise self._trouble

    def _hire(self, control: Control, group: asyncio.TaskGroup) -> None:
        now = self._clock.monotonic()
        for node, post in self._posts.items():
            while post.until <= now and post.at_work < post.slots:
                post.at_work += 1
                group.create_task(self._worker(control, node, post))

    def _others(self) -> list[str]:
        """The nodes that could do something now."""
        now = self._clock.monotonic()
        return [node for node, post in self._posts.items() if post.slots and post.until <= now]

    # --- work ---

    async def _worker(self, control: Control, node: str, post: Post) -> None:
        def may() -> bool:
            return post.at_work <= post.slots and post.until <= self._clock.monotonic()

        try:
            while item := await self._pool.take(node, self._others, may):
                await self._work(control, node, post, item)
        finally:
            post.at_work -= 1

    async def _work(self, control: Control, node: str, post: Post, item: Item) -> None:
        item.attempts += 1
        try:
            outcome = await self._answer(control, node, item)
        except HalextError as error:
            match verdict(error, item.attempts):
                case "wait":
                    item.attempts -= 1
                    self._leave_alone(post, error)
                    await self._pool.give_back(item)
                case "again":
                    item.tried.append(node)
                    await self._pool.give_back(item)
                case "fail":
                    item.tried.append(node)
                    await self._settle(item, failure(error, item))
                case "end":
                    raise
                case never:
                    assert_never(never)
        else:
            post.pauses = 0
            await self._settle(item, outcome)

    async def _settle(self, item: Item, outcome: Outcome) -> None:
        self._went_well = self._clock.monotonic()
        self._progress.note = ""
        await self._keep(item, outcome)
        await self._pool.settle()

    def _leave_alone(self, post: Post, error: HalextError) -> None:
        pause_s = error.retry_after_s or min(FIRST_PAUSE_S * 2**post.pauses, LONGEST_PAUSE_S)
        post.pauses += 1
        post.until = self._clock.monotonic() + pause_s
        self._trouble = error
        if not self._others():
            self._progress.note = error.message
        self._look_now.set()

    async def _answer(self, control: Control, node: str, item: Item) -> Outcome:
        """The answer of this node, or a failure where it fits the schema not even when it was told what is wrong."""
        reply = await self._ask(control, node, self._plan.request(item.prompt))
        try:
            self._plan.value(reply.text)
        except ValueError as wrong:
            reply = await self._ask(control, node, self._plan.repair(item.prompt, reply.text, str(wrong)))
            item.attempts += 1
            try:
                self._plan.value(reply.text)
            except ValueError as still:
                item.tried.append(node)
                message = f"The answer does not fit the schema: {still}."
                return failure(BadAnswer(message), item, text=reply.text)
        return Outcome(
            text=reply.text,
            node=reply.node or node,
            model=reply.model or self._plan.model,
            attempts=item.attempts,
            tried=(*item.tried, node),
            tokens=reply.usage.completion_tokens,
            seconds=reply.total_s or 0.0,
        )

    async def _ask(self, control: Control, node: str, request: ChatRequest) -> Reply:
        reply = Reply()
        async for _ in verbs.answer(control, Question(request, NodeName(node)), reply):
            pass
        return reply


def failure(error: HalextError, item: Item, text: str = "") -> Outcome:
    """An item that is given up."""
    kept = text or (error.reply.text if isinstance(error, Interrupted) and error.reply else "")
    return Outcome(text=kept, code=error.code, message=error.message, attempts=item.attempts, tried=tuple(item.tried))


def slots_of(row: ModelRow | None, nodes: list[NodeInfo], *, only: str | None = None) -> dict[str, int]:
    """Node to how many requests of this model it takes at once; the built-in model works only where nobody else can."""
    known = {endpoint.id: (node, endpoint.slots) for node in nodes for endpoint in node.endpoints}
    able: dict[str, int] = {}
    builtin: dict[str, int] = {}
    for place in row.places if row else ():
        if place.available and place.endpoint in known and only in {None, place.node}:
            node, slots = known[place.endpoint]
            found = builtin if node.builtin and only is None else able
            found[node.name] = found.get(node.name, 0) + slots
    return able or builtin


def same_name(one: str, other: str) -> bool:
    """Whether two names mean one model: case does not matter, and `:latest` goes without saying."""
    return one.strip().casefold().removesuffix(":latest") == other.strip().casefold().removesuffix(":latest")
