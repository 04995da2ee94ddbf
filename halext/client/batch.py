"""A map under way, for whoever asks how far it is: what the synchronous `Job` and the awaited one have in common."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from halext.client import notebook
from halext.client.bar import Bar, bar_for, bundle
from halext.client.book import Book, Row
from halext.client.crew import Crew, same_name
from halext.client.items import Items
from halext.client.outcome import Failure, Outcome, error_of
from halext.client.plan import Plan, refuse_other
from halext.client.pool import Item, Pool
from halext.client.progress import Progress
from halext.client.session import Session
from halext.client.writer import FLUSH_S, Writer
from halext.errors import Conflict, HalextError, InvalidInput, Stopped
from halext.runtime.clock import SystemClock
from halext.runtime.control import Control
from halext.runtime.shapes import Explain, ModelRow, Nothing
from halext.runtime.verbs.models import explain_route, list_models

Cache = Literal["read", "refresh", "off"]
Errors = Literal["raise", "keep", "none"]
Way = Callable[[], Coroutine[Any, Any, Control]]

READ_AT_ONCE = 64
"""Items that are read, and looked up, in one go."""
ROOM = 256
"""Items that may wait for a node; the rest of the input is not read before there is room."""
PAGE = 500
"""Answers that are read back in one go."""
SHARED = "cache.db"
"""The file of all maps without a name."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
COLUMNS = ("value", "error", "node", "model", "attempts", "tokens", "seconds", "known_before")

_under_way: dict[Path, asyncio.Task[Any]] = {}
"""The maps that write to a file; touched in the library's loop only."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where answers are kept, and what is done with those from before."""

    name: str | None = None
    folder: Path | None = None
    cache: Cache = "read"

    def path(self) -> Path | None:
        """The file; None for answers that nobody will want again. Reads the settings, so it may raise what they do."""
        if self.name is None and self.cache == "off":
            return None
        return self.place() / (SHARED if self.name is None else f"{self.name}.job")

    def place(self) -> Path:
        """The folder of all jobs."""
        if self.folder is not None:
            return self.folder
        from halext.runtime import settings  # brings pydantic, which nobody needs who names a folder

        return settings.load().data_dir / "map"


def keeping(job: str | None, folder: str | Path | None, cache: str) -> Keeping:
    """The same, checked. Raises `InvalidInput`."""
    if job is not None and not NAME.fullmatch(job):
        raise InvalidInput("A job's name is made of letters, digits, '.', '_' and '-', at most 80 of them.")
    if job is not None and cache == "off":
        raise InvalidInput("A job with a name keeps its answers; leave the name out for cache='off'.")
    match cache:
        case "read" | "refresh" | "off":
            return Keeping(job, Path(folder) if folder is not None else None, cache)
        case _:
            raise InvalidInput("cache is 'read', 'refresh' or 'off'.")


class Batch:
    """A map that has begun. It goes on in the library's own loop, whether somebody waits for it or not."""

    def __init__(self, session: Session, plan: Plan, items: Items, kept: Keeping, *, progress: bool | None) -> None:
        self.progress = Progress(name=kept.name or "", total=items.total)
        """How far it is."""
        self.error: Exception | None = None
        """What ended it before its time; failures of single items are in `failures`."""
        self._plan = plan
        self._items = items
        self._kept = kept
        self._clock = SystemClock()
        self._book: Book | None = None
        self._shown_at = self._clock.monotonic()
        self._bar: Bar = bar_for(self.progress, shown=progress)
        self._shown_in = notebook.cell() if progress is not False else None
        self._work = session.start(self._run)

    @property
    def name(self) -> str | None:
        """The job's name, under which it goes on when it is run again."""
        return self._kept.name

    @property
    def is_running(self) -> bool:
        """Whether it still works."""
        return not self._work.future.done()

    def __len__(self) -> int:
        """The number of items; while that is unknown, of those read so far."""
        return self._items.taken if self._items.total is None else self._items.total

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.progress.line}>"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        """How far it is; nothing more than a line where the same cell shows it already."""
        if self._shown_in is not None and self._shown_in == notebook.cell():
            return {"text/plain": repr(self)}
        return bundle(self.progress)

    # --- the work, in the loop ---

    async def _run(self, way: Way) -> None:
        task = asyncio.current_task()
        try:
            book = self._book = await self._open(task)
            await self._carry_out(book, way)
            self.progress.state = "done"
        except asyncio.CancelledError:
            self.progress.state = "stopped"
            raise
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            self._fail(error)
        finally:
            await self._leave(task)

    async def _open(self, task: asyncio.Task[Any] | None) -> Book:
        """The file, once whoever wrote to it in this process has let go of it."""
        path = await asyncio.to_thread(self._kept.path)
        if path is not None and self._kept.name is not None and task is not None:
            if (before := _under_way.get(path)) is not None:
                before.cancel()
                await asyncio.wait({before})
            _under_way[path] = task
        book = await asyncio.to_thread(Book, path, alone=self._kept.name is not None)
        weakref.finalize(self, book.close)
        return book

    async def _carry_out(self, book: Book, way: Way) -> None:
        pool, writer = Pool(ROOM), Writer(book, self._show)

        async def keep(item: Item, outcome: Outcome) -> None:
            await writer.put((item.position, item.key, outcome))
            self._count(outcome)

        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(writer.run())
                identity = await self._settle_plan(book, way)
                reading = group.create_task(self._read(book, pool, identity))
                if await pool.needed():
                    crew = Crew(self._plan, pool, self.progress, keep, self._clock)
                    await crew.run(await way(), lambda row: self._greet(book, row))
                await reading
                writing.cancel()
        finally:
            await writer.flush()

    async def _settle_plan(self, book: Book, way: Way) -> str:
        """Say which model it is, where that was left open; what else it is called is the result."""
        kept = await asyncio.to_thread(book.traits) if self._kept.name is not None else {}
        model = self._plan.model or kept.get("model", "")
        if not model:
            route = Explain(prompt=self._plan.template, node=self._plan.node)
            model = (await (await way()).call(explain_route, route)).model
        self._plan = replace(self._plan, model=model)
        if self._kept.name is not None:
            refuse_other(self._kept.name, str(book.path), kept, self._plan.traits())
            await asyncio.to_thread(book.keep_traits, self._plan.traits())
            return ""
        await asyncio.to_thread(book.prune)
        if self._kept.cache == "off":
            return ""
        rows = await (await way()).call(list_models, Nothing())
        return next((digests(row) for row in rows if same_name(row.name, model)), "")

    async def _greet(self, book: Book, row: ModelRow) -> None:
        """Refuse a model that has the name of the one before and is another. Servers without digests can't tell."""
        if self._kept.name is None:
            return
        before, now = (await asyncio.to_thread(book.traits)).get("digest", ""), digests(row)
        if before and now and not set(before.split(",")) & set(now.split(",")):
            raise Conflict(
                f"The model {row.name!r} is not the one any more with which the job {self._kept.name!r} was begun; "
                f"give this one another name, or delete {book.path} to begin anew."
            )
        await asyncio.to_thread(book.keep_traits, {"digest": before or now})

    async def _read(self, book: Book, pool: Pool, identity: str) -> None:
        """Take the items as fast as they are worked on, and leave those out whose answer is known."""
        while entered := await asyncio.to_thread(self._enter, book, identity):
            known = [outcome for _, outcome in entered if outcome is not None]
            self.progress.done += len(known)
            self.progress.hits += len(known)
            self.progress.total = self._items.total
            await pool.fill(item for item, outcome in entered if outcome is None)
        self.progress.total = self._items.total
        await pool.end()

    def _enter(self, book: Book, identity: str) -> list[tuple[Item, Outcome | None]]:
        first = self._items.taken
        prompts = [self._plan.prompt(item, at) for at, item in enumerate(self._items.take(READ_AT_ONCE), first)]
        keys = [self._plan.key(prompt, identity) for prompt in prompts]
        found = book.enter(first, keys, read=self._kept.cache == "read")
        return [
            (Item(position, key, prompt), outcome)
            for position, (prompt, (key, outcome)) in enumerate(zip(prompts, found, strict=True), first)
        ]

    def _count(self, outcome: Outcome) -> None:
        if outcome.is_done:
            self.progress.done += 1
            self.progress.nodes[outcome.node] += 1
        else:
            self.progress.failed += 1

    def _show(self) -> None:
        """At most as often as an eye can follow."""
        now = self._clock.monotonic()
        if now - self._shown_at >= FLUSH_S:
            self._shown_at = now
            self.progress.mark(now)
            self._bar.update(self.progress)

    def _fail(self, error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        self.error = error
        self.progress.state = "failed"
        self.progress.note = error.message if isinstance(error, HalextError) else type(error).__name__

    async def _leave(self, task: asyncio.Task[Any] | None) -> None:
        for path, writer in list(_under_way.items()):
            if writer is task:
                del _under_way[path]
        if self._book is not None:
            await asyncio.to_thread(self._book.release)
        await asyncio.to_thread(self._bar.end, self.progress)

    # --- what came of it, anywhere but in the loop ---

    def _values(self, errors: Errors) -> Any:
        """What `result` gives, once it has ended."""
        if errors not in {"raise", "keep", "none"}:
            raise InvalidInput("errors is 'raise', 'keep' or 'none'.")
        if (error := self._ending()) is not None and (errors == "raise" or not isinstance(error, Stopped)):
            raise error
        values: list[Any] = []
        for value in self._all():
            if isinstance(value, Failure) and errors == "raise":
                raise self._with_note(value)
            values.append(None if isinstance(value, Failure) and errors == "none" else value)
        return self._items.shaped(values)

    def _ending(self) -> Exception | None:
        """Why it ended before its time, if it did."""
        if self.error is not None:
            return self.error
        if self.progress.state == "done":
            return None
        if (failed := self._work.future.exception() if not self._work.future.cancelled() else None) is not None:
            return failed if isinstance(failed, Exception) else Stopped()
        return Stopped(f"{self.progress.count}; run the cell to go on.")

    def _with_note(self, failure: Failure) -> HalextError:
        failure.error.add_note(
            f"Item {failure.index!r}, and {self.progress.failed - 1} more; `.failures` has them all, and "
            "result(errors='keep') gives them in the place of values. Run it again to try them again."
        )
        return failure.error

    def _all(self) -> Iterator[Any]:
        """A value or a failure for every item, also for those that were never come to."""
        position = 0
        while rows := self._page(position):
            for position, outcome, _ in rows:
                yield self._meaning(position, outcome)
            position += 1
        for missing in range(position, len(self)):
            yield self._meaning(missing, None)

    def _page(self, first: int) -> list[Row]:
        return self._book.rows(first, PAGE) if self._book is not None else []

    def _meaning(self, position: int, outcome: Outcome | None) -> Any:
        if outcome is None:
            return Failure(self._items.labels(position), Stopped("This item was not come to; run it again to go on."))
        if outcome.is_done:
            return self._plan.value(outcome.text)
        error = error_of(outcome)
        return Failure(self._items.labels(position), error, outcome.attempts, outcome.tried, outcome.text)

    def _ready(self, first: int) -> list[Any]:
        """The values from this item on, as far as they are there without a gap."""
        ready = []
        for position, outcome, _ in self._page(first):
            if outcome is None:
                break
            ready.append(self._meaning(position, outcome))
        return ready

    def _after(self, first: int) -> list[Any]:
        """What is left from this item on when it has been stopped: an answer here and there, and failures."""
        return [value for at, value in enumerate(self._all()) if at >= first]

    def _failures(self) -> list[Failure]:
        return [value for value in self._all() if isinstance(value, Failure)]

    def _frame(self) -> Any:
        rows, position = [], 0
        while page := self._page(position):
            rows += [self._line(*row) for row in page]
            position = page[-1][0] + 1
        rows += [self._line(missing, None) for missing in range(position, len(self))]
        return self._items.framed(rows, COLUMNS)

    def _line(self, position: int, outcome: Outcome | None, *was_known: bool) -> dict[str, Any]:
        value = self._meaning(position, outcome)
        told = outcome or Outcome(attempts=0)
        failed = isinstance(value, Failure)
        return {
            "value": None if failed else value,
            "error": value.error.code if failed else None,
            "node": told.node,
            "model": told.model,
            "attempts": told.attempts,
            "tokens": told.tokens,
            "seconds": told.seconds,
            "known_before": any(was_known),
        }


def digests(row: ModelRow) -> str:
    """What the model really is, wherever it is; a name may stand for several."""
    return ",".join(sorted({place.digest for place in row.places if place.digest}))
