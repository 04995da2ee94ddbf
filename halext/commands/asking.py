"""Commands around a question: asking, choosing the model, stopping, trying again, and why it went where it went."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from halext.accounts.types import Caller, Permission
from halext.chat.types import ConversationId, Turn, TurnId, TurnState
from halext.commands import words
from halext.commands.attachments import with_files
from halext.commands.registry import command
from halext.commands.types import Button, Live, Option, Reply, Said, Text
from halext.errors import InvalidInput, NotFound
from halext.runtime.app import App

OFFERED = 25
"""What platforms show at most while somebody types."""
AUTO = "auto"
"""Also in place of the model that a conversation had before; "" would go on with that one."""
NUMBER_MAX = 2_147_483_647
"""PostgreSQL's largest integer: no number of ours is larger."""
LISTED = 10
"""Conversations in a list; the page shows them all."""


def models(app: App, caller: Caller, typed: str) -> Sequence[str]:
    """Chat models that fit what is typed so far."""
    del caller
    wanted = typed.casefold()
    return [name for name in _chat_models(app) if wanted in name.casefold()][:OFFERED]


def _chat_models(app: App) -> list[str]:
    """Those that can chat, as far as their servers say, on nodes that take requests now."""
    known = app.registry.known_models()
    return sorted({info.name for info in known if not info.capabilities or "chat" in info.capabilities})


QUESTION = Option("question", "What you want to know", required=True, is_rest=True)
MODEL = Option("model", "Which model answers; else the one of this chat", complete=models)
ANSWER = Option("answer", "Which answer, by its number; else the last one here")


@command("ask", QUESTION, MODEL, permission=Permission.OWN, also=Permission.USE, takes_files=True)
async def ask(app: App, said: Said) -> Reply:
    """Ask a model; the conversation of this chat goes on."""
    place = said.speaker.place
    question, pictures = with_files(said.get("question"), said.files)
    open_here = await app.places.current(said.caller, place)
    conversation, turn = await app.answers.ask(
        said.caller,
        question,
        conversation=open_here.id if open_here else None,
        model=said.get("model") or await app.places.model(said.caller, place),
        images=pictures,
    )
    await app.places.open(said.caller, place, conversation.id)
    return Live(conversation.id, turn.id)


@command("model", Option("name", "The model's name, or auto; without it, what is used here", complete=models))
async def model(app: App, said: Said) -> Reply:
    """Choose the model that answers in this chat."""
    place, wanted = said.speaker.place, said.get("name")
    if not wanted:
        open_here = await app.places.current(said.caller, place)
        now = await app.places.model(said.caller, place) or (open_here.model if open_here else "")
        return Text(
            f"Here {_named(now)} answers. `/models` shows all, `/model auto` leaves it to halext.", is_quiet=True
        )
    known = _chat_models(app)
    if wanted not in (AUTO, *known) and f"{wanted}:latest" not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "/models shows all."
        raise InvalidInput(f"No node has a chat model called {words.shortened(wanted, 100)} now. {hint}")
    await app.places.want_model(said.caller, place, wanted)
    return Text(f"From now on {_named(wanted)} answers here.", is_quiet=True)


def _named(model: str) -> str:
    return "the best model of the moment" if model in {"", AUTO} else words.code(model)


@command("stop", ANSWER, permission=Permission.OWN)
async def stop(app: App, said: Said) -> Reply:
    """Stop the answer that is being written."""
    turn = await _answer(app, said)
    ended = await app.answers.stop(said.caller, turn.id)
    is_running = turn.outcome.state is TurnState.RUNNING
    is_stopped = is_running and ended.outcome.state is TurnState.STOPPED  # it may have come to its end just now
    return Text("Stopped." if is_stopped else "That answer has ended already.", is_quiet=True)


@command("regenerate", ANSWER, MODEL, permission=Permission.OWN, also=Permission.USE)
async def regenerate(app: App, said: Said) -> Reply:
    """Answer the same question once more."""
    old = await _answer(app, said)
    wanted = said.get("model") or await app.places.model(said.caller, said.speaker.place)
    conversation, turn = await app.answers.regenerate(said.caller, old.id, wanted)
    return Live(conversation.id, turn.id)


@command("continue", ANSWER, permission=Permission.OWN, also=Permission.USE)
async def continue_(app: App, said: Said) -> Reply:
    """Let the model go on from where its answer ended."""
    conversation, turn = await app.answers.continue_(said.caller, (await _answer(app, said)).id)
    return Live(conversation.id, turn.id)


@command("why", ANSWER, permission=Permission.OWN)
async def why(app: App, said: Said) -> Reply:
    """Why the last answer came from that node."""
    outcome = (await _answer(app, said)).outcome
    if outcome.state is TurnState.RUNNING:
        return Text("It is still being written; ask again when it has ended.", is_quiet=True)
    lines = [words.plain(line) for line in (*outcome.why, outcome.error) if line]
    told = lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)
    return Text(told or "Nothing is known of it any more.", is_quiet=True)


@command("chat new", permission=Permission.OWN)
async def chat_new(app: App, said: Said) -> Reply:
    """Begin a new conversation with the next question."""
    await app.places.leave(said.caller, said.speaker.place)
    return Text("A new conversation begins with your next question.", is_quiet=True)


@command("chat list", permission=Permission.OWN)
async def chat_list(app: App, said: Said) -> Reply:
    """Your latest conversations, from every door."""
    known = await app.answers.conversations(said.caller)
    found = [each for each in known if words.may_list(said.speaker, each.sharing)][:LISTED]
    if not found:
        return Text("You have no conversations yet; just ask something.", is_quiet=True)
    open_here = await app.places.current(said.caller, said.speaker.place)
    here = open_here.id if open_here else None
    lines = [
        f"- {conversation.id}: {words.plain(conversation.title)}{words.shared(conversation.sharing)}"
        f"{' (open here)' if conversation.id == here else ''}"
        for conversation in found
    ]
    buttons = [Button(f"Open {conversation.id}", f"chat open {conversation.id}") for conversation in found[:5]]
    return Text("\n".join(lines), tuple(buttons), is_quiet=True)


@command("chat open", Option("number", "Its number, as the list shows it", required=True), permission=Permission.OWN)
async def chat_open(app: App, said: Said) -> Reply:
    """Go on with one of your conversations here."""
    conversation = ConversationId(number(said.get("number")))
    await app.places.open(said.caller, said.speaker.place, conversation)
    opened, turns = await app.answers.read(said.caller, conversation)
    last = next((turn.outcome.text for turn in reversed(turns) if turn.outcome.text), "")
    told = f"\n\n> {words.plain(words.excerpt(last, 300))}" if last else ""
    return Text(f"Going on here with: {words.plain(opened.title)}{told}", is_quiet=True)


def number(text: str) -> int:
    """A number that somebody typed. Raises `InvalidInput`."""
    cleaned = text.strip().lstrip("#")
    is_one = cleaned.isascii() and cleaned.isdigit() and len(cleaned) <= len(str(NUMBER_MAX))
    if not is_one or int(cleaned) > NUMBER_MAX:
        raise InvalidInput(f"“{words.shortened(text, 40)}” is no number.")
    return int(cleaned)


async def _answer(app: App, said: Said) -> Turn:
    """The answer that is meant: the one named, or the last one of the conversation that is open here."""
    if said.get("answer"):
        return await app.answers.turn(said.caller, TurnId(number(said.get("answer"))))
    here = await app.places.current(said.caller, said.speaker.place)
    turns = (await app.answers.read(said.caller, here.id))[1] if here else []
    found = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    if found is None:
        raise NotFound("There is no answer here yet; ask something first.")
    return found
