"""What a map goes over: a list, a Series, a frame, an array or a generator, read a little at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

from halext.errors import InvalidInput, MissingExtra


class Items:
    """The items, in order, and how to give as many values back in the shape in which they came."""

    def __init__(self, source: Iterable[Any]) -> None:
        if isinstance(source, str | bytes):
            raise InvalidInput("map goes over many items; for a single text use ask.")
        self.total: int | None = len(source) if isinstance(source, Sized) else None
        """How many there are; None while that is unknown, as for a generator."""
        self.taken = 0
        """How many have been read."""
        self._index: Any = _index_of(source)
        self._rest: Iterator[Any] = _rows(source)

    def take(self, most: int) -> Sequence[Any]:
        """The next items, at most so many; none at the end. Raises what a generator raises. May wait as long as it."""
        taken = list(islice(self._rest, most))
        self.taken += len(taken)
        if len(taken) < most:
            self.total = self.taken
        return taken

    def shaped(self, values: list[Any]) -> Any:
        """The values as a Series with the input's index where it had one, else as they are."""
        if self._index is None:
            return values
        return pandas().Series(values, index=self._index, dtype=object)

    def framed(self, rows: list[dict[str, Any]], columns: Sequence[str]) -> Any:
        """The rows as a frame, with the input's index where it had one. Raises `MissingExtra` without pandas."""
        return pandas().DataFrame(rows, index=self._index, columns=list(columns))

    def labels(self, position: int) -> Any:
        """What the input calls the item at this position."""
        return position if self._index is None else self._index[position]


def pandas() -> Any:
    """pandas, which only some of the library's users need."""
    try:
        import pandas as pd  # type: ignore[import-untyped]  # it brings no types along
    except ModuleNotFoundError as error:
        raise MissingExtra("Frames need pandas: pip install 'halext[notebook]'") from error
    return pd


def _index_of(source: Any) -> Any:
    """The index of a Series or a frame. Lists have something of this name too: a method."""
    found = getattr(source, "index", None)
    return None if callable(found) else found


def _rows(source: Any) -> Iterator[Any]:
    """The items; those of a frame are mappings from a column's name to its value."""
    if not hasattr(source, "itertuples"):
        return iter(source)
    names = [str(name) for name in source.columns]
    return (dict(zip(names, row, strict=True)) for row in source.itertuples(index=False, name=None))
