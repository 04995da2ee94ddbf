"""What happened inside a fake server, in order, for assertions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from halext.testing.models import same_name

EntryKind = Literal[
    "arrival",  # a request came in
    "wait",  # it stands in line: detail "slot" (warm) or "cold" (a load)
    "load_start",
    "load_end",
    "load_abort",  # the one who waited for the load left, or the load failed
    "evict",  # a model left the memory: detail "expired", "unload", "room", "reload" or "memory"
    "first_token",
    "done",
    "cancelled",  # the client left before its answer was whole
    "error",
    "fault",  # an ordered fault took place: detail names it
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `at` is the fake's clock in seconds; `request` is the request's number, 0 for none."""

    kind: EntryKind
    at: float
    model: str = ""
    request: int = 0
    detail: str = ""


class Timeline(Sequence[Entry]):
    """The entries so far, and a way to wait for the next ones."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._changed = asyncio.Event()

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __repr__(self) -> str:
        return "\n".join(f"{e.at:9.3f} {e.kind} {e.model} #{e.request} {e.detail}".rstrip() for e in self._entries)

    def add(self, entry: Entry) -> None:
        """Append an entry and wake those who wait for it."""
        self._entries.append(entry)
        self._changed.set()
        self._changed = asyncio.Event()

    def of(self, *kinds: EntryKind, model: str | None = None) -> list[Entry]:
        """The entries of these kinds (all when none is named), of one model if given."""
        of_kind = (entry for entry in self._entries if not kinds or entry.kind in kinds)
        return [entry for entry in of_kind if model is None or same_name(entry.model, model)]

    async def wait_for(
        self, kind: EntryKind, *, model: str | None = None, count: int = 1, timeout_s: float = 5.0
    ) -> Entry:
        """The `count`-th entry of this kind, as soon as it is there; TimeoutError after `timeout_s` real seconds."""
        async with asyncio.timeout(timeout_s):
            while len(found := self.of(kind, model=model)) < count:
                await self._changed.wait()
        return found[count - 1]
