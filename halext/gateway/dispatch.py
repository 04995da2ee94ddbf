"""One request from the door to the last token: choose, reserve, send, fail over, record."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from halext.accounts.quotas.types import Quota, Reservation
from halext.accounts.types import Ledger, Outcome, UsageEntry
from halext.errors import BadAnswer, CapacityError, Interrupted, NoNodeHasModel, TimedOut, Unreachable, UpstreamError
from halext.gateway import need, policy
from halext.gateway.cache import ANSWER_BYTES, PIECE_BYTES, AnswerCache, Piece, key_of
from halext.gateway.chooser import Chooser
from halext.gateway.line import Line, Waiter
from halext.gateway.need import BYTES_PER_CHAR
from halext.gateway.records import Records
from halext.gateway.slots import Lease, Slots
from halext.gateway.types import Ask, Choice, Record
from halext.messages import ChatChunk, Done, EmbedReply, EmbedRequest, TextRequest
from halext.nodes.policy import lookup_name
from halext.nodes.registry import Registry
from halext.routing import policy as routing
from halext.routing.types import Candidate, Decision, Dispatch, Rejected
from halext.types import Clock, EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Driver, Drivers, Endpoint, ModelDetails

T = TypeVar("T", ChatChunk, EmbedReply)
FROM_CACHE = NodeName("(cache)")
"""In the ledger, in place of a node; no node can be called so."""
Send = Callable[[Driver, Endpoint, ModelName], AsyncGenerator[T, None]]


@dataclass(frozen=True, slots=True)
class Options:
    """What an owner can tune."""

    default_model: str | None = None
    max_waiting: int = 256
    max_wait_s: float = 120.0
    first_piece_warm_s: float = 180.0
    """Longest wait for the first piece from a model in memory: a long prompt on a slow machine takes minutes."""
    first_piece_cold_s: float = 900.0
    """The same when the model has to be loaded; a node that dies meanwhile is noticed by the checks, not by this."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A request with its place: the endpoint, the model as it is spelled there, and the slot."""

    endpoint: Endpoint
    candidate: Candidate
    lease: Lease
    choice: Choice


@dataclass(slots=True)
class Run:
    """The state of one request on its way."""

    ask: Ask
    record: Record
    started: float
    """By the monotonic clock."""
    errors: list[UpstreamError] = field(default_factory=list)
    tried: dict[EndpointId, str] = field(default_factory=dict)
    pieces: int = 0
    characters: int = 0
    """Of the answer so far."""
    whole: bool = False
    """The answer has come to its honest end."""
    reservation: Reservation | None = None
    """What the request holds of its caller's quotas."""
    key: str | None = None
    """Under which its answer may be kept."""
    digest: str = ""
    """Of the model that the key speaks of."""
    kept: list[Piece] = field(default_factory=list)
    """The pieces so far, where they may be kept."""
    sent: float | None = None
    """Since when a node has worked on it, by the monotonic clock; one that failed without a word does not count."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a request would go now."""

    model: ModelName
    decision: Decision
    rejected: tuple[Rejected, ...]


class Gateway:
    """Sends every request to the node that will finish it first, and to another when that one fails."""

    def __init__(
        self,
        *,
        registry: Registry,
        drivers: Drivers,
        clock: Clock,
        ledger: Ledger | None = None,
        quota: Quota | None = None,
        cache: AnswerCache | None = None,
        options: Options | None = None,
        look_again: Callable[[EndpointId], None] = lambda _endpoint: None,
    ) -> None:
        """`look_again` is called when a failure makes a look at an endpoint worth while; it must not wait."""
        self.records = Records()
        self._registry = registry
        self._drivers = drivers
        self._clock = clock
        self._ledger = ledger
        self._quota = quota
        self._cache = cache
        self._options = options or Options()
        self._look_again = look_again
        self._slots = Slots(on_release=self._move)
        self._chooser = Chooser(
            registry=registry, slots=self._slots, clock=clock, default_model=self._options.default_model
        )
        self._line: Line[Placed] = Line(self._options.max_waiting)
        self._awaiting_first: dict[EndpointId, set[asyncio.Timeout]] = {}
        self._boot, self._counter = secrets.token_hex(5), count(1)
        registry.listen(self._on_change)

    # --- what doors call ---

    def new_id(self) -> RequestId:
        """A fresh name for a request: unique across restarts, cheap, and without meaning."""
        return RequestId(f"{self._boot}-{next(self._counter):x}")

    async def generate(self, ask: Ask) -> AsyncGenerator[ChatChunk, None]:
        """The answer in pieces; the last has `done`. Closing it stops the work at the node.

        Raises any `HalextError` before the first piece, and only `Interrupted` after it.
        """
        request = _text(ask)

        def send(driver: Driver, endpoint: Endpoint, model: ModelName) -> AsyncGenerator[ChatChunk, None]:
            return driver.generate(endpoint, replace(request, model=model))

        async with aclosing(self._relay(ask, send)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, ask: Ask) -> EmbedReply:
        """Vectors for the texts of an `EmbedRequest`."""
        request = ask.request
        if not isinstance(request, EmbedRequest):
            raise TypeError("embed takes an EmbedRequest")

        async def send(driver: Driver, endpoint: Endpoint, model: ModelName) -> AsyncGenerator[EmbedReply, None]:
            yield await driver.embed(endpoint, replace(request, model=model))

        async with aclosing(self._relay(ask, send)) as replies:
            return await anext(replies)

    async def show(self, model: str) -> ModelDetails:
        """All that a node says of a model: of the first one that has it and answers."""
        failure: UpstreamError | None = None
        for state, info in self._chooser.field(model, {}, None).open:
            try:
                return await self._drivers(state.endpoint.kind).show(state.endpoint, info.name)
            except UpstreamError as error:
                failure = error
                self._look_again(state.endpoint.id)
        raise failure or NoNodeHasModel

    def explain(self, ask: Ask) -> Explanation:
        """Where this request would go if it came now; nothing is reserved. Raises what sending it would raise."""
        model = self._chooser.model_for(ask, {})
        decision, asked = self._chooser.decide(model, ask, {}, waited_s=0.0)
        return Explanation(model, decision, asked.rejected)

    def in_flight(self, endpoint: EndpointId) -> int:
        """Requests of ours that this endpoint works on now."""
        return self._slots.in_flight(endpoint)

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._line)

    # --- one request ---

    async def _relay(self, ask: Ask, send: Send[T]) -> AsyncGenerator[T, None]:
        run = self._begin(ask)
        outcome: Outcome = "cancelled"  # what it is when the caller closes us
        try:
            await self._reserve(run)
            for piece in self._again(run):
                yield piece  # type: ignore[misc]  # the key speaks of the kind of request, and so of its pieces
            while not run.record.cached:
                placed = await self._place(run)
                try:
                    async with aclosing(self._attempt(run, placed, send)) as pieces:
                        async for piece in pieces:
                            self._note(run, placed, piece)
                            yield piece
                except UpstreamError as error:
                    self._after_failure(run, placed, error)
                else:
                    return
                finally:
                    placed.lease.release()
        except Interrupted:
            outcome = "interrupted"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._end(run, "done" if run.whole else outcome)

    def _begin(self, ask: Ask) -> Run:
        record = Record(
            id=ask.id,
            caller=ask.caller,
            model=ask.request.model,
            started_at=self._clock.now(),
            kind=need.kind_of(ask.request),
        )
        self.records.add(record)
        return Run(ask, record, self._clock.monotonic())

    async def _place(self, run: Run) -> Placed:
        # Those who leave the model to us stand in a lane of their own: which one it is may change while they wait.
        words = [run.record.kind, lookup_name(run.ask.request.model), run.ask.node or "", *sorted(run.tried)]
        lane = "\n".join(words)
        waiter = Waiter(lane=lane, place=lambda: self._try(run), undo=lambda placed: placed.lease.release())
        try:
            return await self._line.wait(waiter, self._options.max_wait_s)
        except CapacityError as nobody_left:
            if run.errors:
                raise policy.final(run.errors[-1], nobody_left) from run.errors[-1]
            raise

    def _try(self, run: Run) -> Placed | None:
        """One decision; the slot is reserved in the same step, so that no two requests see it free."""
        waited_s = self._clock.monotonic() - run.started
        model = run.record.model = self._chooser.model_for(run.ask, run.tried)
        decision, asked = self._chooser.decide(model, run.ask, run.tried, waited_s=waited_s)
        if not isinstance(decision, Dispatch):
            return None
        candidate = decision.candidate
        return Placed(
            endpoint=self._registry.state(candidate.endpoint).endpoint,
            candidate=candidate,
            lease=self._slots.reserve(candidate.endpoint, candidate.model),
            choice=Choice(candidate.node, candidate.endpoint, decision.estimates, asked.rejected, waited_s),
        )

    async def _attempt(self, run: Run, placed: Placed, send: Send[T]) -> AsyncGenerator[T, None]:
        run.record.choices.append(placed.choice)
        sent = run.sent = self._clock.monotonic()
        async with aclosing(
            send(self._drivers(placed.endpoint.kind), placed.endpoint, placed.candidate.model)
        ) as pieces:
            piece: T | None = await self._first(placed, pieces)
            first_s = self._clock.monotonic() - sent
            run.record.node, run.record.endpoint = placed.candidate.node, placed.candidate.endpoint
            run.record.first_token_s = self._clock.monotonic() - run.started
            while piece is not None:
                run.pieces += 1
                run.characters += _size(piece)
                if done := _done(piece):
                    self._learn(run, placed, done, first_s=first_s, total_s=self._clock.monotonic() - sent)
                yield piece
                piece = await anext(pieces, None)
        if not run.whole:
            raise policy.stopped_midway(placed.endpoint)

    async def _first(self, placed: Placed, pieces: AsyncGenerator[T, None]) -> T:
        """The first piece, unless the endpoint turns out to be gone while we wait for it."""
        limit = self._options.first_piece_warm_s if placed.candidate.resident else self._options.first_piece_cold_s
        awaiting = self._awaiting_first.setdefault(placed.endpoint.id, set())
        node, endpoint = placed.endpoint.node, placed.endpoint.id
        patience = asyncio.timeout(limit)
        awaiting.add(patience)
        try:
            async with patience:
                return await anext(pieces)
        except StopAsyncIteration:
            message = f"{node} ended its answer without a word."
            raise BadAnswer(message, node=node, endpoint=endpoint) from None
        except TimeoutError:
            if patience not in awaiting:
                message = f"{node} went offline before it answered."
                raise Unreachable(message, node=node, endpoint=endpoint) from None
            message = f"{node} did not begin to answer within {limit:.0f} s."
            raise TimedOut(message, node=node, endpoint=endpoint) from None
        finally:
            awaiting.discard(patience)
            if not awaiting:
                self._awaiting_first.pop(placed.endpoint.id, None)

    def _after_failure(self, run: Run, placed: Placed, error: UpstreamError) -> None:
        """Tell the registry, and end the request unless another node may be asked."""
        endpoint = placed.candidate.endpoint
        verdict = policy.after_failure(error, run.errors, began=run.pieces > 0)
        run.errors.append(error)
        run.sent = run.sent if run.pieces else None
        run.tried[endpoint] = error.message
        node = placed.candidate.node
        run.record.failures.append(error.message if error.message.startswith(node) else f"{node}: {error.message}")
        self._registry.failed(endpoint, placed.candidate.model, error)
        self._look_again(endpoint)
        if verdict == "end":
            if run.pieces and not isinstance(error, Interrupted):
                raise policy.stopped_midway(placed.endpoint) from error
            raise error

    def _learn(self, run: Run, placed: Placed, done: Done, *, first_s: float, total_s: float) -> None:
        candidate = placed.candidate
        run.whole = True
        run.record.usage = done.usage
        if (seconds := done.timings.eval_s or total_s - first_s) > 0 and done.usage.completion_tokens:
            run.record.tokens_per_s = done.usage.completion_tokens / seconds
        sample = routing.Sample(
            usage=done.usage,
            timings=done.timings,
            first_token_s=first_s,
            total_s=total_s,
            was_cold=not candidate.resident,
            others=placed.lease.others,
        )
        known = self._registry.rates(candidate.endpoint, candidate.model)
        self._registry.worked(candidate.endpoint, candidate.model, routing.observe(known, sample))
        if run.record.kind != "embed":
            self._chooser.answered(candidate.model, done.usage.completion_tokens)

    def _end(self, run: Run, outcome: Outcome) -> None:
        record = run.record
        record.outcome = outcome
        record.total_s = self._clock.monotonic() - run.started
        self._settle(run)
        self.records.ended(record)
        if self._ledger is None or (record.node is None and not record.cached):
            return
        self._ledger.record(
            UsageEntry(
                request_id=record.id,
                caller=record.caller,
                model=record.model,
                node=record.node or FROM_CACHE,
                started_at=record.started_at,
                total_s=record.total_s,
                first_token_s=record.first_token_s,
                prompt_tokens=record.usage.prompt_tokens,
                # Without a final count each piece is one token: that is how servers stream.
                completion_tokens=record.usage.completion_tokens or (0 if run.whole else run.pieces),
                outcome=outcome,
            )
        )

    # --- answers that are given again ---

    def _again(self, run: Run) -> Sequence[Piece]:
        """The pieces of an answer that this person had to the same request; nothing when it has to be asked."""
        if self._cache is None or run.ask.node is not None:  # who names a node wants to hear that node
            return ()
        model = self._chooser.model_for(run.ask, {})
        digests = {info.digest for _, info in self._chooser.field(model, {}, None).open}
        run.digest = digests.pop() if len(digests) == 1 else ""
        run.key = key_of(run.ask.caller, run.ask.request, run.digest)
        found = self._cache.find(run.key) if run.key else None
        if found is None:
            return ()
        run.record.model, run.record.cached, run.whole = model, True, True
        return found

    def _note(self, run: Run, placed: Placed, piece: Piece) -> None:
        """Keep an answer with its honest end, if the node still has the model that the key speaks of."""
        if self._cache is None or run.key is None:
            return
        run.kept.append(piece)
        if run.pieces * PIECE_BYTES + run.characters * BYTES_PER_CHAR > ANSWER_BYTES:
            run.key, run.kept = None, []  # too long to be kept, and nothing is collected without a bound
        if run.key is None or not run.whole:
            return
        serving = self._registry.serving(placed.candidate.model)
        digests = {info.digest for state, info in serving if state.endpoint.id == placed.candidate.endpoint}
        if digests == {run.digest}:
            self._cache.keep(run.key, run.kept)

    # --- quotas ---

    async def _reserve(self, run: Run) -> None:
        if self._quota is not None:
            run.reservation = await self._quota.reserve(run.ask.caller, need.to_reserve(run.ask.request))

    def _settle(self, run: Run) -> None:
        if run.reservation is None:
            return
        busy_s = 0.0 if run.sent is None else self._clock.monotonic() - run.sent
        run.reservation.settle(
            need.spent(run.ask.request, run.record.usage, pieces=run.pieces, characters=run.characters, busy_s=busy_s)
        )

    # --- when something changes ---

    def _on_change(self) -> None:
        for endpoint, awaiting in list(self._awaiting_first.items()):
            if self._registry.is_gone(endpoint):
                now = asyncio.get_running_loop().time()
                while awaiting:
                    patience = awaiting.pop()
                    if not patience.expired():  # it may have run out in this very tick
                        patience.reschedule(now)
        self._move()

    def _move(self) -> None:
        self._line.move()


def _text(ask: Ask) -> TextRequest:
    if isinstance(ask.request, EmbedRequest):
        raise TypeError("generate takes a chat or completion request")
    return ask.request


def _done(piece: ChatChunk | EmbedReply) -> Done | None:
    return piece.done if isinstance(piece, ChatChunk) else Done(usage=piece.usage, timings=piece.timings)


def _size(piece: ChatChunk | EmbedReply) -> int:
    """Characters of the answer in it."""
    if isinstance(piece, EmbedReply):
        return 0
    calls = sum(len(call.name) + len(str(call.arguments)) for call in piece.tool_calls)
    return len(piece.text) + len(piece.thinking) + calls
