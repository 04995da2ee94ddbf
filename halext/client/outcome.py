"""What became of one item of a map: its answer, or a failure that is a value and not an exception."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from halext.errors import HalextError


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer as it is kept; with a `code` it is a failure, and `text` is what there was of an answer."""

    text: str = ""
    code: str = ""
    message: str = ""
    node: str = ""
    model: str = ""
    attempts: int = 1
    tried: tuple[str, ...] = ()
    """The nodes that were asked, in order."""
    tokens: int = 0
    seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether there is an answer."""
        return not self.code


@dataclass(frozen=True, slots=True)
class Failure:
    """An item without an answer. It counts as false, so `[v for v in job if v]` leaves it out."""

    index: Any
    """What the input calls the item: its label in a Series, else its position."""
    error: HalextError
    """What went wrong; `error.code` is stable."""
    attempts: int = 0
    nodes: tuple[str, ...] = ()
    """The nodes that were asked."""
    text: str = ""
    """What there was of an answer, such as one that does not fit the schema."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<Failure of item {self.index!r}: {self.error.code} after {self.attempts} attempts>"


def error_of(outcome: Outcome) -> HalextError:
    """The error of a failure, as it was when it was kept."""
    kind = next((each for each in _tree(HalextError) if each.code == outcome.code), HalextError)
    return kind(outcome.message)


def _tree(kind: type[HalextError]) -> Iterator[type[HalextError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _tree(each)
