"""What a client does with a `Control`: written once, for the synchronous client and the one that is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from halext.client.asking import Options, chat_request, opening, question
from halext.client.comparison import Comparison
from halext.client.reply import Reply
from halext.client.tables import Explanation, Models, Nodes
from halext.errors import HalextError, InvalidInput, MissingExtra
from halext.messages import ChatRequest, EmbedRequest
from halext.runtime.control import Control
from halext.runtime.shapes import Explain, Nothing
from halext.runtime.verbs.models import explain_route, list_models
from halext.runtime.verbs.nodes import list_nodes
from halext.types import ModelName, NodeName

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

BATCH = 64
"""Texts per request: enough to keep a node busy, few enough for several nodes to share a long list."""
BATCHES_AT_ONCE = 8


Tell = Callable[[Control, Reply], AsyncGenerator[str, None]]
"""Asks for an answer: its pieces, and everything about it in the reply."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request and where to send it."""

    request: ChatRequest
    node: NodeName | None = None


def question_of(prompt: str, *, model: str, system: str, node: str | None, options: Options) -> Question:
    """A single question."""
    request = chat_request(model, (*opening(system), question(prompt, options)), options)
    return Question(request, NodeName(node) if node else None)


def questions_of(prompt: str, models: Sequence[str], *, system: str, options: Options) -> dict[str, Question]:
    """The same question to each of the models. Raises `InvalidInput` when none is named."""
    if isinstance(models, str) or not models:
        raise InvalidInput("compare takes a list of models.")
    return {model: question_of(prompt, model=model, system=system, node=None, options=options) for model in models}


async def answer(control: Control, question: Question, reply: Reply) -> AsyncGenerator[str, None]:
    """The text in pieces; `reply` has everything. An `Interrupted` carries the reply."""
    coming = control.generate(question.request, question.node)
    failure: BaseException | None = None
    try:
        async for chunk in coming:
            reply.take(chunk)
            if chunk.text:
                yield chunk.text
    except BaseException as error:
        failure = error
        raise
    finally:
        reply.end(coming.info, failure)


async def compare(control: Control, questions: Mapping[str, Question]) -> Comparison:
    """All answers at once, each by its model; a failure stands where its answer would."""

    async def one(question: Question) -> Reply | HalextError:
        reply = Reply()
        try:
            async for _ in answer(control, question, reply):
                pass
        except HalextError as error:
            return error
        return reply

    async with asyncio.TaskGroup() as group:
        tasks = {model: group.create_task(one(question)) for model, question in questions.items()}
    return Comparison({model: task.result() for model, task in tasks.items()})


async def nodes(control: Control) -> Nodes:
    """All nodes."""
    found = await control.call(list_nodes, Nothing())
    return Nodes(found)


async def models(control: Control) -> Models:
    """All models."""
    found = await control.call(list_models, Nothing())
    return Models(found)


async def explain(control: Control, prompt: str, model: str, node: str | None) -> Explanation:
    """Where a question would go."""
    return Explanation(await control.call(explain_route, Explain(model=model, prompt=prompt, node=node)))


@dataclass(frozen=True, slots=True)
class Embedding:
    """Texts that want vectors, as `embed` was asked for them."""

    texts: Sequence[str]
    model: str
    node: str | None
    dimensions: int | None
    normalize: bool


async def embed(control: Control, wish: Embedding) -> NDArray[float32]:
    """A row per text. Raises `MissingExtra` without numpy, before anything is sent."""
    np = import_numpy()
    # Without texts one is embedded all the same: how long a row is only the model knows.
    texts = wish.texts or ["."]
    limit = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def part(start: int) -> Any:
        async with limit:
            request = EmbedRequest(ModelName(wish.model), tuple(texts[start : start + BATCH]), wish.dimensions)
            reply = await control.embed(request, NodeName(wish.node) if wish.node else None)
            return np.asarray(reply.vectors, dtype=np.float32)

    try:
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(part(start)) for start in range(0, len(texts), BATCH)]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
    rows: NDArray[float32] = np.concatenate([task.result() for task in parts])
    if wish.normalize:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return rows[: len(wish.texts)]


def import_numpy() -> Any:
    """numpy, which only some of the library's users need."""
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise MissingExtra("Vectors are numpy arrays: pip install 'halext[notebook]'") from error
    return np
