"""A conversation at the prompt, kept in memory; Ctrl-C stops an answer and not the program."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from halext.cli import output
from halext.cli.answer import Listener, reasons, summary
from halext.cli.entry import is_piped
from halext.errors import HalextError
from halext.messages import ChatRequest, Message
from halext.types import ModelName

if TYPE_CHECKING:
    from halext.runtime.control import Answer, Control

HELP = "/model NAME takes another model, /why says why this node, /quit or Ctrl-D leaves; Ctrl-C stops an answer."
ReadLine = Callable[[str], str]


class Conversation:
    """One conversation. `read_line` shows a prompt and waits for a line; it raises EOFError at the end."""

    def __init__(self, control: Control, model: str, system: str, read_line: ReadLine) -> None:
        self._control = control
        self._model = model
        self._messages = [Message("system", system)] if system else []
        self._read_line = read_line
        self._last: tuple[Answer, ChatRequest] | None = None
        self._speaking: asyncio.Task[object] | None = None

    async def run(self) -> None:
        """Talk until /quit or the end of the input."""
        output.aside(HELP)
        with self._on_interrupt():
            while (line := await self._next_line()) is not None and line != "/quit":
                if line.startswith("/"):
                    await self._command(*line[1:].split(maxsplit=1))
                elif line:
                    await self._answer(line)
        if line is None and not is_piped():
            output.err("")  # Ctrl-D leaves the cursor behind the prompt

    async def _command(self, word: str = "", argument: str = "") -> None:
        if word == "model":
            self._model = argument.strip() or self._model
            output.aside(f"The model is {self._model or 'the one that answers soonest'}.")
        elif word == "why" and self._last is not None:
            for line in await reasons(self._control, *self._last, None):
                output.aside(output.one_line(line))
        elif word == "why":
            output.aside("Nothing has been asked yet.")
        else:
            output.aside(HELP)

    async def _answer(self, line: str) -> None:
        request = ChatRequest(ModelName(self._model), (*self._messages, Message("user", line)))
        answer = self._control.generate(request)
        listener = Listener()
        self._last = answer, request
        try:
            await self._hear(listener, answer)
        except HalextError as error:
            output.err(f"halext: {error.message}")
        if listener.text:  # an answer that was stopped or broke off is still a part of what was said
            self._messages = [*request.messages, Message("assistant", listener.text)]
        if answer.info is not None and listener.done is not None:
            output.aside(summary(answer.info))

    async def _hear(self, listener: Listener, answer: Answer) -> None:
        self._speaking = task = asyncio.current_task()
        try:
            await listener.hear(answer)
        except asyncio.CancelledError:
            if task is None or task.uncancel() > 0:  # not only Ctrl-C: something else wants us to end
                raise
            output.aside("(stopped)")
        finally:
            self._speaking = None

    async def _next_line(self) -> str | None:
        """The next line without spaces around it, or None at the end."""
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str | None] = loop.create_future()

        def read() -> None:
            try:
                text: str | None = self._read_line("" if is_piped() else "> ").strip()
            except EOFError:
                text = None
            with suppress(RuntimeError):  # the loop is closed: we have left in the meantime
                loop.call_soon_threadsafe(line.set_result, text)

        # A thread of its own that dies with the process: one of asyncio's would be waited for until Enter is pressed.
        Thread(target=read, name="read a line", daemon=True).start()
        return await line

    @contextmanager
    def _on_interrupt(self) -> Iterator[None]:
        """While we talk, Ctrl-C stops the answer and not the program."""

        def stop() -> None:
            if self._speaking is not None:
                self._speaking.cancel()
            else:
                output.err("\n(/quit or Ctrl-D leaves)\n> ", end="")

        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGINT, stop)
        except (NotImplementedError, ValueError, RuntimeError):  # Windows, or not in the main thread
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
