"""An answer on its way to the terminal, and what is told about it afterwards. Shared by `ask` and `chat`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from halext.cli import output
from halext.errors import HalextError
from halext.messages import ChatChunk, ChatRequest, Done
from halext.runtime.units import show_duration
from halext.types import NodeName

if TYPE_CHECKING:
    from halext.runtime.control import Answer, Control
    from halext.runtime.shapes import NodeInfo, RequestInfo


class Listener:
    """Takes an answer piece by piece; what has come stays, however it ends."""

    def __init__(self, *, show: bool = True) -> None:
        self.text = ""
        self.thinking = ""
        self.done: Done | None = None
        self._show = show

    async def hear(self, answer: Answer) -> None:
        """Print every piece as it comes. Raises what the answer raises; the line on the screen is ended first."""
        async with AsyncExitStack() as stack:
            pieces = aiter(answer)
            if isinstance(pieces, AsyncGenerator):
                stack.push_async_callback(pieces.aclose)  # when printing fails, the node stops working too
            try:
                async for piece in pieces:
                    self._take(piece)
            finally:
                self._end_line()

    def _take(self, piece: ChatChunk) -> None:
        self.done = piece.done or self.done
        if piece.thinking:
            self.thinking += piece.thinking
            # Only for someone who watches: in a file it would pass for a part of the answer.
            if self._show and sys.stderr.isatty():
                output.aside(piece.thinking, end="")
        if piece.text:
            if self._show and self.thinking and not self.text and sys.stderr.isatty():
                output.err("\n")
            self.text += piece.text
            if self._show:
                output.out(piece.text, end="")

    def _end_line(self) -> None:
        if self._show and self.text and not self.text.endswith("\n"):
            output.out("")


async def reasons(control: Control, answer: Answer, request: ChatRequest, node: NodeName | None) -> list[str]:
    """Why the answer came from where it came; for one that reached no node, what stands in its way now."""
    if answer.info is not None and answer.info.why:
        return answer.info.why
    from halext.runtime.shapes import Explain, Nothing
    from halext.runtime.verbs.models import explain_route
    from halext.runtime.verbs.nodes import list_nodes

    try:
        asked = Explain(model=request.model, prompt=request.messages[-1].content, node=node)
        return [(await control.call(explain_route, asked)).sentence]
    except HalextError:  # it says the same as the failure, which is shown anyway; the nodes say more
        with suppress(HalextError):
            return [_state(known) for known in await control.call(list_nodes, Nothing())]
    return []


def _state(node: NodeInfo) -> str:
    details = "; ".join(endpoint.reason for endpoint in node.endpoints if endpoint.reason)
    return f"{node.name}: {node.status}{f' ({details})' if details else ''}"


def summary(info: RequestInfo) -> str:
    """Which model and node answered, and how fast."""
    facts = [f"{info.model} on {info.node}" if info.node else info.model]
    facts += [f"first word after {show_duration(info.first_token_s)}"] if info.first_token_s is not None else []
    facts += [f"{info.completion_tokens} tokens"] if info.completion_tokens else []
    facts += [f"{info.tokens_per_s:.0f} tokens/s"] if info.tokens_per_s else []
    return ", ".join(facts)
