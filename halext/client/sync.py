"""The client for scripts and cells: `halext.Client`, which `halext.connect` gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from halext.client import verbs
from halext.client.aio import AsyncClient
from halext.client.asking import Options, texts_of
from halext.client.batch import Cache, keeping
from halext.client.comparison import Comparison
from halext.client.conversation import Conversation
from halext.client.image import Images
from halext.client.items import Items
from halext.client.job import Job
from halext.client.kept import Conversations, Kept, conversations
from halext.client.open import Way
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


class Client:
    """A halext coordinator, or a fleet of servers by their URLs.

    Takes what `halext.connect` takes. Works in scripts, in threads and inside a notebook's running loop. Ctrl-C stops
    the work at the node too. Nothing is opened before the first question; close it, use `with`, or leave it to the end
    of the process. Its errors are those of `halext.errors`.
    """

    def __init__(self, *urls: str, **way: Unpack[Way]) -> None:
        self.aio = AsyncClient(*urls, **way)
        """The same client, awaited."""
        self._session = self.aio.session

    def ask(
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
            for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(
        self, prompt: str, *, model: str = "", system: str = "", node: str | None = None, **options: Unpack[Options]
    ) -> Stream:
        """The answer in pieces: `for piece in hx.stream("…")`. Leaving the iteration stops the work."""
        asking = verbs.question_of(prompt, model=model, system=system, node=node, options=options)
        return Stream(self._session, lambda control, reply: verbs.answer(control, asking, reply))

    def chat(self, *, model: str = "", system: str = "", node: str | None = None, **options: Unpack[Options]) -> Chat:
        """A conversation; it is called with the next question, and `fork` begins another one from there."""
        return Chat(self._session, model=model, system=system, node=node, options=options)

    def conversation(self, number: int | None = None, *, model: str = "", system: str = "") -> KeptChat:
        """A conversation that the server keeps, the same as on the page and in chats; without a number a new one.

        It is called with the next question. `model` is for the questions from now on, `system` for a new one.
        """
        return KeptChat(self._session, number, model=model, system=system)

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
    ) -> Job:
        """The same question about many items, begun at once and shared among the nodes: a job that is not waited for.

        `prompt` has `{}` where the item belongs, or `{name}` for a field of items that are mappings or a frame's rows.
        With `schema` (a JSON schema, a dataclass, a TypedDict or a pydantic model) answers become values of that form.
        A `job` with a name goes on where it was when it is run again, and asks again only what failed or is missing;
        without a name answers that are known from before are taken too, unless `cache` says otherwise: "read",
        "refresh" asks everything anew, "off" keeps nothing. `folder` is where answers are kept, by default in halext's
        data directory; `progress=False` hides the bar. Raises `InvalidInput` for what can't be carried out.
        """
        plan = plan_of(prompt, model=model, system=system, node=node, schema=schema, options=options)
        return Job(self._session, plan, Items(items), keeping(job, folder, cache), progress=progress)

    def compare(
        self, prompt: str, *, models: Sequence[str], system: str = "", **options: Unpack[Options]
    ) -> Comparison:
        """The same question to several models at once, side by side, with where and how fast each was answered.

        A model that fails has its error in its place; nothing is raised for it.
        """
        questions = verbs.questions_of(prompt, models, system=system, options=options)
        return self._session.run(lambda control: verbs.compare(control, questions))

    def embed(
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
        return self._session.run(lambda control: verbs.embed(control, wish))

    def imagine(
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
            for job in self._session.iterate(lambda control: imagining(control, wish)):
                watch.see(job)
            return watch.images()

    def explain(self, prompt: str, *, model: str = "", node: str | None = None) -> Explanation:
        """Where this question would go now, and why; nothing is sent to a node."""
        return self._session.run(lambda control: verbs.explain(control, prompt, model, node))

    @property
    def nodes(self) -> Nodes:
        """All nodes and how they are."""
        return self._session.run(verbs.nodes)

    @property
    def conversations(self) -> Conversations:
        """The conversations that the server keeps for the caller, the latest first."""
        return self._session.run(conversations)

    @property
    def models(self) -> Models:
        """All models and where they are."""
        return self._session.run(verbs.models)

    def close(self) -> None:
        """End what is under way and let go of connections and children."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed; it can't be used any more then."""
        return self._session.is_closed

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.name}>"


class Stream:
    """An answer in pieces of text. Nothing is sent before the first piece is asked for; it can be read once."""

    def __init__(self, session: Session, tell: Tell, then: Callable[[Reply], None] | None = None) -> None:
        self.reply = Reply()
        """Everything about the answer; grows with it."""
        self._session = session
        self._tell = tell
        self._then = then

    def __iter__(self) -> Iterator[str]:
        self.reply.begin()
        yield from self._session.iterate(lambda control: self._tell(control, self.reply))
        if self._then is not None:
            self._then(self.reply)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.reply!r}>"


class Chat(Conversation):
    """A conversation. `chat("…")` gives the next answer."""

    def __init__(
        self, session: Session, *, model: str = "", system: str = "", node: str | None = None, options: Options
    ) -> None:
        super().__init__(model=model, system=system, node=node, options=options)
        self._session = session

    def __call__(self, text: str, *, stream: bool | None = None, **options: Unpack[Options]) -> Reply:
        """The answer to the next question; shown as `ask` shows it."""
        coming = self.stream(text, **options)
        with showing(stream, coming.reply) as show:
            for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(self, text: str, **options: Unpack[Options]) -> Stream:
        """The next answer in pieces; it becomes a turn when it is whole."""
        asking, asked = self._ask(text, options)
        return Stream(
            self._session,
            lambda control, reply: verbs.answer(control, asking, reply),
            lambda reply: self._answered(asked, reply),
        )


class KeptChat(Kept):
    """A conversation that the server keeps. `chat("…")` gives the next answer."""

    def __init__(self, session: Session, number: int | None, *, model: str, system: str) -> None:
        super().__init__(number, model=model, system=system)
        self._session = session

    def __call__(self, text: str, *, stream: bool | None = None) -> Reply:
        """The answer to the next question; shown as `ask` shows it."""
        coming = self.stream(text)
        with showing(stream, coming.reply) as show:
            for piece in coming:
                show.piece(piece)
        return coming.reply

    def stream(self, text: str) -> Stream:
        """The next answer in pieces."""
        return Stream(self._session, lambda control, reply: self.tell(control, text, reply))

    def refresh(self) -> Self:
        """Read anew what was said, here and elsewhere. Raises `NotFound`."""
        self._session.run(self.look)
        return self
