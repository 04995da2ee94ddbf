"""The client that is awaited: `halext.AsyncClient`, and `hx.aio` of the synchronous one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from halext.client import verbs
from halext.client.asking import Options, texts_of
from halext.client.batch import Cache, keeping
from halext.client.comparison import Comparison
from halext.client.conversation import Conversation
from halext.client.image import Images
from halext.client.items import Items
from halext.client.job import AsyncJob
from halext.client.kept import Conversations, Kept, conversations
from halext.client.later import Later
from halext.client.open import Way, session_for
from halext.client.painting import watching, wish_of
from halext.client.plan import plan_of
from halext.client.reply import Reply
from halext.client.session import Session
from halext.client.show import showing
from halext.client.tables import Explanation, Models, Nodes
from halext.client.verbs import Tell
from halext.runtime.imagining import imagining

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class AsyncClient:
    """A halext coordinator, or a fleet of servers by their URLs, awaited from any event loop.

    Takes what `halext.connect` takes. Nothing is opened before the first question; close it, or use `async with`.
    Its errors are those of `halext.errors`.
    """

    def __init__(self, *urls: str, **way: Unpack[Way]) -> None:
        self.session = session_for(urls, way)
        """The way there; a synchronous client shares it."""

    async def ask(
        self,
        prompt: str,
        *,
        model: str = "",
        system: str = "",
        node: str | None = None,
        stream: bool | None = None,
        **options: Unpack[Options],
    ) -> Reply:
        """The answer to one question; without `model` from the model that will answer best now.

        In a notebook it is shown while it comes, elsewhere with `stream=True`; `stream=False` keeps it quiet. An answer
        that breaks off raises `Interrupted`, whose `reply` holds what had come.
        """
        coming = self.stream(prompt, model=model, system=system, node=node, **options)
        with showing(stream, coming.reply) as show:
            async for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(
        self, prompt: str, *, model: str = "", system: str = "", node: str | None = None, **options: Unpack[Options]
    ) -> AsyncStream:
        """The answer in pieces: `async for piece in hx.stream("…")`. Leaving the iteration stops the work."""
        asking = verbs.question_of(prompt, model=model, system=system, node=node, options=options)
        return AsyncStream(self.session, lambda control, reply: verbs.answer(control, asking, reply))

    def chat(
        self, *, model: str = "", system: str = "", node: str | None = None, **options: Unpack[Options]
    ) -> AsyncChat:
        """A conversation; it is called with the next question and awaited, and `fork` begins another one from there."""
        return AsyncChat(self.session, model=model, system=system, node=node, options=options)

    def conversation(self, number: int | None = None, *, model: str = "", system: str = "") -> AsyncKeptChat:
        """A conversation that the server keeps, the same as on the page and in chats; without a number a new one.

        It is called with the next question. `model` is for the questions from now on, `system` for a new one.
        """
        return AsyncKeptChat(self.session, number, model=model, system=system)

    def map(
        self,
        items: Iterable[Any],
        prompt: str,
        *,
        model: str = "",
        schema: Any = None,
        system: str = "",
        job: str | None = None,
        cache: Cache = "read",
        folder: str | Path | None = None,
        node: str | None = None,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> AsyncJob:
        """The same question about many items, begun at once and shared among the nodes: a job that is not waited for.

        `prompt` has `{}` where the item belongs, or `{name}` for a field of items that are mappings or a frame's rows.
        With `schema` (a JSON schema, a dataclass, a TypedDict or a pydantic model) answers become values of that form.
        A `job` with a name goes on where it was when it is run again, and asks again only what failed or is missing;
        without a name answers that are known from before are taken too, unless `cache` says otherwise: "read",
        "refresh" asks everything anew, "off" keeps nothing. `folder` is where answers are kept, by default in halext's
        data directory; `progress=False` hides the bar. Raises `InvalidInput` for what can't be carried out.
        """
        plan = plan_of(prompt, model=model, system=system, node=node, schema=schema, options=options)
        return AsyncJob(self.session, plan, Items(items), keeping(job, folder, cache), progress=progress)

    async def compare(
        self, prompt: str, *, models: Sequence[str], system: str = "", **options: Unpack[Options]
    ) -> Comparison:
        """The same question to several models at once, side by side, with where and how fast each was answered.

        A model that fails has its error in its place; nothing is raised for it.
        """
        questions = verbs.questions_of(prompt, models, system=system, options=options)
        return await self.session.arun(lambda control: verbs.compare(control, questions))

    async def embed(
        self,
        texts: str | Iterable[str],
        *,
        model: str = "",
        node: str | None = None,
        dimensions: int | None = None,
        normalize: bool = False,
    ) -> NDArray[float32]:
        """One row per text, in the same order: a float32 array (n, d), with `normalize` of rows of length 1.

        Long lists are shared among the nodes that have the model. Raises `MissingExtra` without numpy.
        """
        wish = verbs.Embedding(texts_of(texts), model, node, dimensions, normalize)
        return await self.session.arun(lambda control: verbs.embed(control, wish))

    async def imagine(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int | None = None,
        size: tuple[int, int] = (512, 512),
        model: str = "",
        negative: str = "",
        steps: int = 20,
        cfg: float = 7.0,
        sampler: str = "",
        node: str | None = None,
        stream: bool | None = None,
    ) -> Images:
        """Pictures of what `prompt` says; `size` is width and height, and each of the `n` has a seed one higher.

        Without `model` by one that is in memory. How far they are is shown in a notebook, elsewhere with `stream=True`;
        `stream=False` keeps it quiet. Interrupted, it stops the job at its node.
        """
        wish = wish_of(prompt, n, seed, size, model, negative, steps, cfg, sampler, node)
        with watching(stream) as watch:
            async for job in self.session.aiterate(lambda control: imagining(control, wish)):
                watch.see(job)
            return watch.images()

    async def explain(self, prompt: str, *, model: str = "", node: str | None = None) -> Explanation:
        """Where this question would go now, and why; nothing is sent to a node."""
        return await self.session.arun(lambda control: verbs.explain(control, prompt, model, node))

    @property
    def nodes(self) -> Awaitable[Nodes]:
        """All nodes and how they are: `await hx.nodes`."""
        return Later(lambda: self.session.arun(verbs.nodes))

    @property
    def conversations(self) -> Awaitable[Conversations]:
        """The conversations that the server keeps for the caller, the latest first."""
        return Later(lambda: self.session.arun(conversations))

    @property
    def models(self) -> Awaitable[Models]:
        """All models and where they are: `await hx.models`."""
        return Later(lambda: self.session.arun(verbs.models))

    async def close(self) -> None:
        """End what is under way and let go of connections and children."""
        await self.session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed; it can't be used any more then."""
        return self.session.is_closed

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.session.name}>"


class AsyncStream:
    """An answer in pieces of text. Nothing is sent before the first piece is asked for; it can be read once."""

    def __init__(self, session: Session, tell: Tell, then: Callable[[Reply], None] | None = None) -> None:
        self.reply = Reply()
        """Everything about the answer; grows with it."""
        self._session = session
        self._tell = tell
        self._then = then

    async def __aiter__(self) -> AsyncIterator[str]:
        self.reply.begin()
        async for piece in self._session.aiterate(lambda control: self._tell(control, self.reply)):
            yield piece
        if self._then is not None:
            self._then(self.reply)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.reply!r}>"


class AsyncChat(Conversation):
    """A conversation. `await chat("…")` gives the next answer."""

    def __init__(
        self, session: Session, *, model: str = "", system: str = "", node: str | None = None, options: Options
    ) -> None:
        super().__init__(model=model, system=system, node=node, options=options)
        self._session = session

    async def __call__(self, text: str, *, stream: bool | None = None, **options: Unpack[Options]) -> Reply:
        """The answer to the next question; shown as `ask` shows it."""
        coming = self.stream(text, **options)
        with showing(stream, coming.reply) as show:
            async for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(self, text: str, **options: Unpack[Options]) -> AsyncStream:
        """The next answer in pieces; it becomes a turn when it is whole."""
        asking, asked = self._ask(text, options)
        return AsyncStream(
            self._session,
            lambda control, reply: verbs.answer(control, asking, reply),
            lambda reply: self._answered(asked, reply),
        )


class AsyncKeptChat(Kept):
    """A conversation that the server keeps. `await chat("…")` gives the next answer."""

    def __init__(self, session: Session, number: int | None, *, model: str, system: str) -> None:
        super().__init__(number, model=model, system=system)
        self._session = session

    async def __call__(self, text: str, *, stream: bool | None = None) -> Reply:
        """The answer to the next question; shown as `ask` shows it."""
        coming = self.stream(text)
        with showing(stream, coming.reply) as show:
            async for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(self, text: str) -> AsyncStream:
        """The next answer in pieces."""
        return AsyncStream(self._session, lambda control, reply: self.tell(control, text, reply))

    async def refresh(self) -> Self:
        """Read anew what was said, here and elsewhere. Raises `NotFound`."""
        await self._session.arun(self.look)
        return self
