from __future__ import annotations

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.chat.store import AnswerLog, Asked, ChatStore
from halext.chat.types import Outcome, TurnState
from halext.errors import Conflict, NotFound
from halext.storage.scope import Scope
from halext.types import UserId


async def people(scope: Scope) -> tuple[UserId, UserId]:
    ann, bob = [await PeopleStore(scope).add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Bob")]
    return ann.id, bob.id


async def begun(scope: Scope, owner: UserId) -> Asked:
    return await ChatStore(scope, owner).ask(None, "why?", "m", 1.5)


async def test_question_and_answer_are_on_the_record_together(scope: Scope) -> None:
    ann, _ = await people(scope)
    asked = await begun(scope, ann)
    assert (asked.conversation.title, asked.conversation.model, asked.conversation.created_at) == ("why?", "m", 1.5)
    _, turns = await ChatStore(scope, ann).read(asked.conversation.id)
    assert [(turn.role, turn.outcome.state) for turn in turns] == [("user", "done"), ("assistant", "running")]
    with pytest.raises(Conflict):
        await ChatStore(scope, ann).ask(asked.conversation.id, "and?", "", 2.0)
    _, still = await ChatStore(scope, ann).read(asked.conversation.id)
    assert still == turns


async def test_an_outcome_comes_back_as_it_was(scope: Scope) -> None:
    ann, _ = await people(scope)
    asked = await begun(scope, ann)
    log = AnswerLog(scope)
    await log.append(asked.answer.id, 1, ["a\n\n", "b\n\n"])
    await log.append(asked.answer.id, 3, ["c"])
    (left,) = await log.unfinished()
    assert (left.owner, left.shown, left.asked.question) == (ann, "a\n\nb\n\nc", "why?")
    outcome = Outcome(TurnState.DONE, "a\n\nb\n\nc", "m:latest", "mac", "", 42.5, 0.25, ("chose mac",))
    assert (await log.finish(asked.answer.id, outcome)).outcome == outcome
    assert (await ChatStore(scope, ann).turn(asked.answer.id)).outcome == outcome
    assert await log.unfinished() == []


async def test_the_latest_stands_first_and_nobody_sees_anothers(scope: Scope) -> None:
    ann, bob = await people(scope)
    first, second = await begun(scope, ann), await begun(scope, ann)
    await AnswerLog(scope).finish(first.answer.id, Outcome(TurnState.DONE, "x"))
    await ChatStore(scope, ann).ask(first.conversation.id, "and?", "", 9.0)
    listed = await ChatStore(scope, ann).conversations()
    assert [conversation.id for conversation in listed] == [first.conversation.id, second.conversation.id]
    assert listed[0].model == "m"
    assert await ChatStore(scope, bob).conversations() == []
    for attempt in (
        ChatStore(scope, bob).read(first.conversation.id),
        ChatStore(scope, bob).turn(first.answer.id),
        ChatStore(scope, bob).forget(first.conversation.id),
        ChatStore(scope, bob).ask(first.conversation.id, "x", "", 1.0),
    ):
        with pytest.raises(NotFound):
            await attempt
    await ChatStore(scope, ann).forget(first.conversation.id)
    with pytest.raises(NotFound):
        await ChatStore(scope, ann).turn(first.answer.id)
