"""An answer that grows, as messages: what is full is frozen, and only what follows is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

from halext_bots.shared.document import Block, Heading
from halext_bots.shared.lines import Line, lay_out
from halext_bots.shared.reading import clean, read_placed, settled, steady
from halext_bots.shared.splitting import Cut, Renderer, after, cut, split

Body = TypeVar("Body")


class Flow(Generic[Body]):
    """The messages of one growing answer.

    While each text continues the one before it, the first `frozen` messages never change again, and there are never
    fewer of them; everything behind them may. At any moment the messages are the same as those of `splitting.messages`.
    A text that does not continue the last one is read anew, and then anything may change.
    An update takes some 5 ms for every 1,000 characters of the block that is being written.
    """

    def __init__(self, renderer: Renderer[Body]) -> None:
        self._renderer = renderer
        self._restart()

    def _restart(self) -> None:
        self._text = ""
        self._frozen: list[Body] = []
        self._cuts: list[Cut] = []
        self._closed: list[Line] = []
        """The lines of the blocks that have ended."""
        self._place = 0
        """Where the block begins that may go on: the only one that is read again."""
        self._is_titled = False
        """Whether the last block that ended is a heading."""

    @property
    def frozen(self) -> int:
        """How many messages stay as they are."""
        return len(self._frozen)

    def update(self, text: str) -> list[Body]:
        """All messages for the text so far; none as long as there is nothing to see."""
        text = clean(text)
        if not text.startswith(self._text):
            self._restart()
        self._text = text
        placed, parts = self._look()
        if (len(parts) > 1 or len(placed) > 2) and self._settle():  # noqa: PLR2004
            _, parts = self._look()
        return [*self._frozen, *(self._renderer.render(part) for part in parts)]

    def _look(self) -> tuple[list[tuple[Block, int]], list[tuple[Line, ...]]]:
        placed = read_placed(self._text[self._place :])
        return placed, split(self._left(self._lay_out([block for block, _ in placed])), self._renderer)

    def _settle(self) -> bool:
        """Keep what can't change any more; whether there was something to keep."""
        before = (self._place, len(self._cuts))
        rest = self._text[self._place :]
        rest = rest[: steady(rest)]
        placed = read_placed(rest)
        if len(placed) > 1:
            self._close([block for block, _ in placed[:-1]])
            begin = placed[-1][1]
            self._place += sum(len(line) + 1 for line in rest.split("\n")[:begin])
        self._freeze(self._left(self._lay_out(list(settled(tuple(block for block, _ in placed[-1:]))))))
        return before != (self._place, len(self._cuts))

    def _close(self, blocks: list[Block]) -> None:
        self._closed += self._lay_out(blocks)
        self._is_titled = isinstance(blocks[-1], Heading)

    def _freeze(self, lines: list[Line]) -> None:
        while (found := cut(lines, self._renderer)) is not None:
            if found.head:
                self._frozen.append(self._renderer.render(found.head))
            self._cuts.append(replace(found, head=()))
            lines = after(lines, found)

    def _left(self, open_lines: list[Line]) -> list[Line]:
        lines = self._closed + open_lines
        for found in self._cuts:
            lines = after(lines, found)
        return lines

    def _lay_out(self, blocks: list[Block]) -> list[Line]:
        lines = lay_out(blocks)
        if lines and self._is_titled:
            lines[0] = replace(lines[0], has_gap=False)
        return lines
