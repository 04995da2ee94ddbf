"""`halext ask`: one question, one answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.cli.entry import read_piped
from halext.errors import HalextError

if TYPE_CHECKING:
    from halext.cli.answer import Listener
    from halext.runtime.control import Answer, Control

EXAMPLES = (
    "Examples: `halext ask 'Why is the sky blue?'`; `git diff | halext ask 'Write a commit message' -m llama3.2`."
)

Model = Annotated[str, typer.Option("--model", "-m", help="Without it, the one that answers soonest.")]
System = Annotated[str, typer.Option(help="What the model should know or be before it answers.")]


def ask(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="PROMPT", help="The question; what is piped in follows it.")
    ] = None,
    model: Model = "",
    node: Annotated[str | None, typer.Option(help="Only this node.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Say afterwards why this node was chosen.")] = False,
    system: System = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Ask a question; the answer appears as it is written."""
    from halext.cli.answer import Listener, reasons
    from halext.messages import ChatRequest, Message
    from halext.types import ModelName, NodeName

    prompt = "\n\n".join(part for part in (" ".join(words or ()), read_piped()) if part.strip())
    if not prompt:
        raise typer.BadParameter("Give a question, or pipe a text in.", param_hint="PROMPT")
    messages = (*([Message("system", system)] if system else []), Message("user", prompt))
    request = ChatRequest(ModelName(model), messages)
    place = NodeName(node) if node else None

    async def work(control: Control) -> None:
        answer = control.generate(request, place)
        listener = Listener(show=not as_json)
        failure: HalextError | None = None
        try:
            await listener.hear(answer)
        except HalextError as error:
            failure = error
        lines = await reasons(control, answer, request, place) if why else []
        _tell(answer, listener, failure, lines, as_json=as_json, why=why)
        if failure is not None:
            raise failure

    house.run(ctx, work)


def _tell(
    answer: Answer, listener: Listener, failure: HalextError | None, lines: list[str], *, as_json: bool, why: bool
) -> None:
    from halext.cli.answer import summary

    if as_json:
        error = {"code": failure.code, "message": failure.message} if failure else None
        finish = listener.done.reason if listener.done else None
        told = {"text": listener.text, "thinking": listener.thinking, "finish": finish, "error": error}
        output.json({**told, "why": lines, "request": answer.info})
        return
    if answer.info is not None and failure is None and (why or sys.stderr.isatty()):
        output.aside(summary(answer.info))
    for line in lines:
        output.aside(f"why: {output.one_line(line)}")
