"""Live answers: they run here, whoever looks on. A page that is reloaded, a second one, a chat: all read one log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from halext.accounts.policy import require
from halext.accounts.types import Caller, Permission
from halext.accounts.workspaces.types import Access
from halext.chat import policy
from halext.chat.store import AnswerLog, ChatStore
from halext.chat.types import Asked, Conversation, ConversationId, Event, Outcome, Question, Turn, TurnId, TurnState
from halext.errors import Forbidden, HalextError, Internal, Interrupted, InvalidInput, NotFound
from halext.gateway.dispatch import Gateway
from halext.gateway.story import why
from halext.gateway.types import Ask
from halext.messages import ChatRequest
from halext.storage.scope import Scope
from halext.types import Clock, ModelName, UserId

QUIET_S = 15.0
"""After so long without news the tail is told once more, so that connections which carry it stay open."""
LOOK_S = 1.0
"""How long a reader whose access ended in another process may read on; in this process it ends at once."""
CLOSED = "halext was stopped in the middle of it."
Spawn = Callable[[Coroutine[object, object, None], str], None]
CallerOf = Callable[[UserId], Coroutine[object, object, Caller | None]]


@dataclass(slots=True)
class _Live:
    """An answer that runs: what it has said, and who waits to hear more."""

    asked: Asked
    caller: Caller
    blocks: list[str] = field(default_factory=list)
    kept: int = 0
    """How many of the blocks are on the record; no reader is told of more."""
    cutter: policy.Cutter = field(default_factory=policy.Cutter)
    size: int = 0
    """Characters so far."""
    ended: Turn | None = None
    is_over: bool = False
    is_stopped: bool = False
    scope: asyncio.Timeout | None = None
    """Ended by `stop`; it has no deadline of its own."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        return "".join(self.blocks) + self.cutter.tail

    @property
    def tail(self) -> str:
        return "".join(self.blocks[self.kept :]) + self.cutter.tail

    def stop(self) -> None:
        """Let it end now."""
        self.is_stopped = True
        if self.scope is not None:
            self.scope.reschedule(asyncio.get_running_loop().time())

    def tell(self) -> None:
        """Wake everyone who waits; those who come later wait for the next change."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


async def _events(live: _Live, after: int) -> AsyncGenerator[Event, None]:
    """Always the newest there is: who reads slowly sees fewer tails, and every block once."""
    seen = after
    while True:
        changed, is_over = live.changed, live.is_over  # as it is before the reader takes its time
        while seen < live.kept:
            seen += 1
            yield Event("block", live.blocks[seen - 1], seen)
        yield Event("tail", live.tail)
        if is_over:
            break
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await changed.wait()
    if live.ended is not None:
        yield Event("done", turn=live.ended)


class _Reader:
    """Someone who follows an answer, and whether they still may: the owner always, others as long as it is shared."""

    def __init__(self, store: ChatStore, turn: TurnId, clock: Clock) -> None:
        self._store, self._turn, self._clock = store, turn, clock
        self._generation, self._until = -1, 0.0

    async def may_read(self, generation: int) -> bool:
        """Asks the database when something has changed since, and else once in `LOOK_S`."""
        now = self._clock.monotonic()
        if generation == self._generation and now < self._until:
            return True
        try:
            await self._store.turn(self._turn)
        except NotFound:
            return False
        self._generation, self._until = generation, now + LOOK_S
        return True


class Answers:
    """Asks models in the name of people, and lets them follow. Callers without an account have no conversations."""

    def __init__(self, scope: Scope, gateway: Gateway, clock: Clock, spawn: Spawn) -> None:
        """`spawn` runs work that outlives its caller, and cancels it when the house closes."""
        self._scope = scope
        self._log = AnswerLog(scope)
        self._gateway = gateway
        self._clock = clock
        self._spawn = spawn
        self._live: dict[TurnId, _Live] = {}
        self._generation = 0
        """Of who may read what; it grows with each change that may end someone's access."""

    async def ask(
        self,
        caller: Caller,
        text: str,
        *,
        conversation: ConversationId | None = None,
        model: str = "",
        system: str = "",
        images: Sequence[str] = (),
    ) -> tuple[Conversation, Turn]:
        """Put a question; the answer runs from now on. What was asked is on the record when this returns.

        `system` is for a conversation that begins here; `images` are bare base64. Raises `InvalidInput`, `TooLarge`,
        `Forbidden` without the right to ask models, `NotFound`, and `Conflict` while the last answer still runs.
        """
        require(caller, Permission.USE)
        store = self._of(caller)
        question = Question(policy.question(text), model, policy.system(system), policy.pictures(images))
        return self._begin(await store.ask(conversation, question, self._clock.now()), caller)

    async def regenerate(self, caller: Caller, answer: TurnId, model: str = "") -> tuple[Conversation, Turn]:
        """Another answer to the same question, in place of this one and of what followed it.

        Raises `NotFound`, and `Conflict` while an answer of the conversation runs.
        """
        require(caller, Permission.USE)
        return self._begin(await self._of(caller).again(answer, model, self._clock.now()), caller)

    async def continue_(self, caller: Caller, answer: TurnId) -> tuple[Conversation, Turn]:
        """Let the model go on from where this answer ended, as a further turn. Raises as `ask` does."""
        turn = await self._of(caller).turn(answer)
        if not turn.outcome.text:
            raise InvalidInput("This answer has not begun, so there is nothing to go on from; ask for another one.")
        return await self.ask(caller, policy.CONTINUE, conversation=turn.conversation)

    async def conversations(self, caller: Caller) -> list[Conversation]:
        """The caller's conversations, and those shared with them, the latest first."""
        return await self._of(caller).conversations()

    async def read(self, caller: Caller, conversation: ConversationId) -> tuple[Conversation, list[Turn]]:
        """A conversation with the turns that lead to its latest one. Raises `NotFound`."""
        return await self._of(caller).read(conversation)

    async def turn(self, caller: Caller, turn: TurnId) -> Turn:
        """One turn that the caller may read. Raises `NotFound`."""
        return await self._of(caller).turn(turn)

    async def share(self, caller: Caller, conversation: ConversationId, workspace: str | None) -> Conversation:
        """Share a conversation of the caller's in this workspace; None ends that, for those who follow it too.

        Raises `NotFound`, `UnknownWorkspace`, and `Forbidden` for those who may read only, here or there.
        """
        shared = await self._of(caller).share(conversation, workspace)
        self.look_again()
        return shared

    def look_again(self) -> None:
        """Ask again, for everyone who follows an answer, whether they still may: call it when access may have ended."""
        self._generation += 1
        for live in self._live.values():
            live.tell()

    def shut_out(self, person: UserId) -> None:
        """End the answers that run for someone who may not ask any more; what was said so far is kept."""
        for live in self._live.values():
            if live.caller.user_id == person:
                live.stop()

    async def forget(self, caller: Caller, conversation: ConversationId) -> None:
        """Stop what runs in a conversation, and delete it. Raises `NotFound`, and `Forbidden` for another's."""
        await self._of(caller).conversation(conversation, Access.OWN)
        _, turns = await self.read(caller, conversation)
        for turn in turns:
            if turn.id in self._live:
                await self.stop(caller, turn.id)
        await self._of(caller).forget(conversation)

    async def follow(self, caller: Caller, answer: TurnId, after: int = 0) -> AsyncGenerator[Event, None]:
        """An answer from block `after` on, up to its end; any number of readers, none of whom slows it down.

        For those with whom it is not shared any more it ends at once, without its last event. Raises `NotFound`
        before the first one.
        """
        store = self._of(caller)
        turn = await store.turn(answer)
        live = self._live.get(answer)
        if live is None:
            ended = turn if turn.outcome.state is not TurnState.RUNNING else await store.turn(answer)
            yield Event("whole", ended.outcome.text)
            yield Event("done", turn=ended)
            return
        reader = None if live.asked.conversation.owner_id == caller.user_id else _Reader(store, answer, self._clock)
        async with aclosing(_events(live, after)) as events:
            async for event in events:
                if reader is not None and not await reader.may_read(self._generation):
                    return
                yield event

    async def progress(self, caller: Caller, answer: TurnId, seen: int, wait_s: float) -> tuple[str, Turn]:
        """The text so far, as soon as it has more than `seen` characters or the answer has ended; else after `wait_s`.

        The turn says whether it has ended. Raises `NotFound`.
        """
        store = self._of(caller)
        turn = await store.turn(answer)
        live = self._live.get(answer)
        if live is None:
            ended = turn if turn.outcome.state is not TurnState.RUNNING else await store.turn(answer)
            return ended.outcome.text, ended
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while live.size <= seen and not live.is_over:
                    await live.changed.wait()
        if live.asked.conversation.owner_id != caller.user_id:
            await store.turn(answer)  # it may have been taken away from them meanwhile
        return live.text, live.ended or turn

    async def stop(self, caller: Caller, answer: TurnId) -> Turn:
        """End an answer; its text so far is kept. Ended ones stay as they are. Raises `NotFound`, `Forbidden`."""
        turn = await self._of(caller).turn(answer, Access.WRITE)
        live = self._live.get(answer)
        if live is None:
            return turn
        live.stop()
        while not live.is_over:
            await live.changed.wait()
        return live.ended or turn

    async def recover(self, caller_of: CallerOf) -> None:
        """After a crash: answers that nobody had seen a word of run again by themselves, the others are interrupted."""
        for left in await self._log.unfinished():
            caller = await caller_of(left.person)
            if caller is not None and not left.shown and await self._may_ask(caller, left.asked):
                self._begin(left.asked, caller)
            else:
                lost = Outcome(TurnState.INTERRUPTED, left.shown, error=CLOSED)
                await self._log.finish(left.asked.answer.id, lost)

    async def _may_ask(self, caller: Caller, asked: Asked) -> bool:
        try:
            await self._of(caller).conversation(asked.conversation.id, Access.WRITE)
        except (Forbidden, NotFound):  # it is not shared with them any more
            return False
        return True

    # --- one answer ---

    def _begin(self, asked: Asked, caller: Caller) -> tuple[Conversation, Turn]:
        live = self._live[asked.answer.id] = _Live(asked, caller)
        self._spawn(self._run(live), f"answer {asked.answer.id}")
        return asked.conversation, asked.answer

    async def _run(self, live: _Live) -> None:
        ask = self._ask(live)
        state, error = TurnState.INTERRUPTED, CLOSED  # what it is when we are cancelled
        try:
            await self._write(live, ask)
            state, error = TurnState.STOPPED if live.is_stopped else TurnState.DONE, ""
        except Exception as failure:
            state = TurnState.INTERRUPTED if live.text else TurnState.FAILED
            error = failure.message if isinstance(failure, HalextError) else Internal().message
            if not isinstance(failure, HalextError):
                raise  # for the log
        finally:
            await self._end(live, self._outcome(live, ask, state, error))

    async def _end(self, live: _Live, outcome: Outcome) -> None:
        try:
            # The house closes and nothing was shown yet: it stays on the record as running, and runs again.
            if outcome.text or outcome.state is not TurnState.INTERRUPTED:
                live.ended = await self._log.finish(live.asked.answer.id, outcome)
        finally:
            live.is_over = True
            del self._live[live.asked.answer.id]
            live.tell()

    async def _write(self, live: _Live, ask: Ask) -> None:
        """Take the answer in, piece by piece; what is finished is on the record before anyone is told of it."""
        if live.is_stopped:
            return
        live.scope = asyncio.timeout(None)
        try:
            async with live.scope, aclosing(self._gateway.generate(ask)) as chunks:
                async for chunk in chunks:
                    await self._take(live, chunk.text)
        except TimeoutError:
            if not live.is_stopped:
                raise
        finally:
            live.scope = None

    async def _take(self, live: _Live, text: str) -> None:
        live.size += len(text)
        if live.size > policy.ANSWER_MAX:
            raise Interrupted(f"It was ended at {policy.ANSWER_MAX:,} characters; the model did not come to an end.")
        live.blocks += live.cutter.feed(text)
        if fresh := live.blocks[live.kept :]:
            await self._log.append(live.asked.answer.id, live.kept + 1, fresh)
            live.kept = len(live.blocks)
        live.tell()

    def _ask(self, live: _Live) -> Ask:
        asked = live.asked
        messages = policy.context(asked.conversation, asked.path, asked.pictures)
        request = ChatRequest(ModelName(asked.conversation.model), messages)
        return Ask(self._gateway.new_id(), live.caller, request)

    def _outcome(self, live: _Live, ask: Ask, state: TurnState, error: str) -> Outcome:
        record = self._gateway.records.find(ask.id)
        return Outcome(
            state=state,
            text=live.text,
            model=record.model if record else "",
            node=(record.node or "") if record else "",
            error=error,
            prompt_tokens=record.usage.prompt_tokens if record else 0,
            completion_tokens=record.usage.completion_tokens if record else 0,
            tokens_per_s=record.tokens_per_s if record else None,
            first_token_s=record.first_token_s if record else None,
            why=tuple(why(record)) if record else (),
        )

    def _of(self, caller: Caller) -> ChatStore:
        return ChatStore(self._scope, policy.owner(caller))
