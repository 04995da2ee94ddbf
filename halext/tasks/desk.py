"""The desk where people keep their tasks, and where a model may lay suggestions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import aclosing

from halext.accounts.policy import require
from halext.accounts.types import Caller, Permission
from halext.errors import BadAnswer, InvalidInput
from halext.gateway.dispatch import Gateway
from halext.gateway.types import Ask
from halext.messages import ChatRequest, Message, Sampling
from halext.storage.scope import Scope
from halext.tasks import policy
from halext.tasks.store import TaskStore
from halext.tasks.types import Draft, Task, TaskId, TaskState
from halext.types import Clock, ModelName

ANSWER_TOKENS = 1_200
"""Room for the most suggestions with notes; a model that goes on and on is stopped there."""


class Desk:
    """Everyone's tasks, each time for one caller. Callers without an account have no desk: `InvalidInput`."""

    def __init__(self, scope: Scope, gateway: Gateway, clock: Clock) -> None:
        self._scope = scope
        self._gateway = gateway
        self._clock = clock

    async def add(self, caller: Caller, draft: Draft) -> Task:
        """Write a task down. Raises `InvalidInput`."""
        (task,) = await self._of(caller).add([policy.clean(draft)], TaskState.OPEN, self._clock.now())
        return task

    async def tasks(self, caller: Caller, states: Collection[TaskState]) -> list[Task]:
        """The caller's tasks in these states, and those shared with them, what matters first."""
        return policy.in_order(await self._of(caller).all(states))

    async def move(self, caller: Caller, task: TaskId, to: TaskState) -> Task:
        """Done, dropped, open again, or a suggestion accepted. Raises `NotFound` and `Conflict`."""
        return await self._of(caller).move(task, to, self._clock.now())

    async def edit(self, caller: Caller, task: TaskId, draft: Draft) -> Task:
        """Change a task. Raises `NotFound` and `InvalidInput`."""
        return await self._of(caller).edit(task, policy.clean(draft))

    async def share(self, caller: Caller, task: TaskId, workspace: str | None) -> Task:
        """Share a task of the caller's in this workspace; None ends that. Raises as the store does."""
        return await self._of(caller).share(task, workspace)

    async def suggest(self, caller: Caller, text: str, model: str = "") -> list[Task]:
        """Ask a model for the to-dos in a text; they are kept as suggestions until the caller decides on each.

        An answer that is not as asked for is sent back once with what is wrong. Raises what asking raises, and
        `BadAnswer` when the second one is no better.
        """
        require(caller, Permission.USE)
        desk = self._of(caller)
        if not text.strip():
            raise InvalidInput("There is no text to draw tasks from.")
        if len(text) > policy.TEXT_MAX:
            raise InvalidInput(f"The text has more than {policy.TEXT_MAX:,} characters; send a part of it.")
        drafts = await self._drafts(caller, text, ModelName(model))
        return policy.in_order(await desk.add(drafts, TaskState.SUGGESTED, self._clock.now())) if drafts else []

    async def _drafts(self, caller: Caller, text: str, model: ModelName) -> list[Draft]:
        messages = [Message("system", policy.INSTRUCTION), Message("user", text)]
        wrong = ""
        for _ in range(2):
            answer = await self._answer(caller, messages, model)
            try:
                return policy.read_suggestions(answer)
            except ValueError as error:
                wrong = str(error)
                messages += [Message("assistant", answer), Message("user", f"That can't be read: {wrong}. JSON only.")]
        raise BadAnswer(f"The model did not answer with a list of tasks ({wrong}); try another model.")

    async def _answer(self, caller: Caller, messages: Sequence[Message], model: ModelName) -> str:
        request = ChatRequest(
            model,
            tuple(messages),
            Sampling(temperature=0.2, max_tokens=ANSWER_TOKENS),
            format=policy.SCHEMA,
        )
        ask = Ask(self._gateway.new_id(), caller, request)
        async with aclosing(self._gateway.generate(ask)) as chunks:
            return "".join([chunk.text async for chunk in chunks])

    def _of(self, caller: Caller) -> TaskStore:
        if caller.user_id is None:
            raise InvalidInput("Tasks belong to a person: sign in, or use that person's API token.")
        return TaskStore(self._scope, caller.user_id)
