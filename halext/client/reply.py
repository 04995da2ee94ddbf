"""What came back: an answer with everything known about it, also while it is still coming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from halext.client import notebook
from halext.client.markdown import safe_markdown
from halext.errors import HalextError, Interrupted, UsageError
from halext.messages import ChatChunk, FinishReason, ToolCall, Usage
from halext.runtime.shapes import RequestInfo


class Reply:
    """An answer. `text` grows while it streams; the other fields are known at the end.

    In a notebook it shows as Markdown; `str(reply)` is the text.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._thoughts: list[str] = []
        self._info: RequestInfo | None = None
        self._has_begun = False
        self._shown_in: object = None
        self.outcome: Literal["running", "done", "failed", "cancelled", "interrupted"] = "running"
        """How it ended."""
        self.usage = Usage()
        """Tokens read and written, as the node counts them; zeros until the end."""
        self.finish_reason: FinishReason | None = None
        """`stop`, `length` or `tool_calls`; None until the answer is whole."""
        self.tool_calls: tuple[ToolCall, ...] = ()
        """Functions that the model asks for; never executed by halext."""

    # --- for readers ---

    @property
    def text(self) -> str:
        """The answer, or as much of it as has come."""
        return _joined(self._pieces)

    @property
    def thinking(self) -> str:
        """What a thinking model thought before it answered."""
        return _joined(self._thoughts)

    @property
    def node(self) -> str:
        """The node that answered; "" until it is known."""
        return (self._info.node or "") if self._info else ""

    @property
    def model(self) -> str:
        """The model that answered, also where the request left the choice open; "" until it is known."""
        return self._info.model if self._info else ""

    @property
    def id(self) -> str:
        """The request's id, for logs and `/hx/requests/{id}`; "" until it is known."""
        return self._info.id if self._info else ""

    @property
    def tokens_per_s(self) -> float | None:
        """How fast the tokens came after the first one; None where nobody can say."""
        return self._info.tokens_per_s if self._info else None

    @property
    def first_token_s(self) -> float | None:
        """Seconds until the first piece."""
        return self._info.first_token_s if self._info else None

    @property
    def total_s(self) -> float | None:
        """Seconds until the end."""
        return self._info.total_s if self._info else None

    @property
    def why(self) -> str:
        """Why this node: each decision, and each failure on the way, as a sentence per line."""
        return "\n".join(self._info.why) if self._info else ""

    @property
    def summary(self) -> str:
        """Who answered and how fast, in one line."""
        rate = f"{self.tokens_per_s:.1f} tokens/s" if self.tokens_per_s else ""
        tokens = f"{self.usage.completion_tokens} tokens" if self.usage.completion_tokens else ""
        outcome = "" if self.outcome == "done" else self.outcome
        return " · ".join(part for part in (self.node, self.model, tokens, rate, outcome) if part)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Reply: {len(self.text)} characters · {self.summary}>"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        """The text; or one line about it, where the same cell has just shown the text as it came."""
        if self._shown_in is not None and self._shown_in == notebook.cell():
            return {"text/plain": self.summary}
        return {"text/plain": self.text, "text/markdown": safe_markdown(self.text)}

    # --- for those who fill it ---

    def begin(self) -> None:
        """It is being asked for. Raises `UsageError` the second time."""
        if self._has_begun:
            raise UsageError("This stream has been read already; its text is in `.reply.text`.")
        self._has_begun = True

    def take(self, chunk: ChatChunk) -> None:
        """One more piece."""
        if chunk.text:
            self._pieces.append(chunk.text)
        if chunk.thinking:
            self._thoughts.append(chunk.thinking)
        self.tool_calls += chunk.tool_calls
        if chunk.done:
            self.usage = chunk.done.usage
            self.finish_reason = chunk.done.reason

    def end(self, info: RequestInfo | None, error: BaseException | None) -> None:
        """What became of the request, as far as anyone knows."""
        self._info = info
        match error:
            case None:
                self.outcome = "done"
            case Interrupted():
                self.outcome, error.reply = "interrupted", self
            case HalextError():
                self.outcome = "failed"
            case _:
                self.outcome = "cancelled"

    def was_shown(self) -> None:
        """The cell that runs now has shown the text."""
        self._shown_in = notebook.cell()


def _joined(pieces: list[str]) -> str:
    """All pieces as one, kept joined so that reading a long text again and again stays cheap."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""
