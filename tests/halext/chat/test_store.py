from __future__ import annotations

import asyncio

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.chat.store import TURNS_MAX, AnswerLog, ChatStore, ConversationRow, _new_turn
from halext.chat.types import Asked, Outcome, Question, TurnId, TurnState
from halext.errors import Conflict, NotFound
from halext.storage.scope import Scope
from halext.types import UserId


async def people(scope: Scope) -> tuple[UserId, UserId]:
    ann, bob = [await PeopleStore(scope).add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Bob")]
    return ann.id, bob.id


async def begun(scope: Scope, owner: UserId) -> Asked:
    return await ChatStore(scope, owner).ask(None, Question("why?", "m", "Be terse."), 1.5)


async def test_question_and_answer_are_on_the_record_together(scope: Scope) -> None:
    ann, _ = await people(scope)
    asked = await begun(scope, ann)
    assert (asked.conversation.title, asked.conversation.model, asked.conversation.created_at) == ("why?", "m", 1.5)
    _, turns = await ChatStore(scope, ann).read(asked.conversation.id)
    assert [(turn.role, turn.outcome.state) for turn in turns] == [("user", "done"), ("assistant", "running")]
    with pytest.raises(Conflict):
        await ChatStore(scope, ann).ask(asked.conversation.id, Question("and?"), 2.0)
    _, still = await ChatStore(scope, ann).read(asked.conversation.id)
    assert still == turns


async def test_an_outcome_comes_back_as_it_was(scope: Scope) -> None:
    ann, _ = await people(scope)
    asked = await begun(scope, ann)
    log = AnswerLog(scope)
    await log.append(asked.answer.id, 1, ["a\n\n", "b\n\n"])
    await log.append(asked.answer.id, 3, ["c"])
    (left,) = await log.unfinished()
    assert (left.person, left.shown, left.asked.path[-1].outcome.text) == (ann, "a\n\nb\n\nc", "why?")
    outcome = Outcome(TurnState.DONE, "a\n\nb\n\nc", "m:latest", "mac", "", 11, 12, 42.5, 0.25, ("chose mac",))
    assert (await log.finish(asked.answer.id, outcome)).outcome == outcome
    assert (await ChatStore(scope, ann).turn(asked.answer.id)).outcome == outcome
    assert await log.unfinished() == []


async def test_the_latest_stands_first_and_nobody_sees_anothers(scope: Scope) -> None:
    ann, bob = await people(scope)
    first, second = await begun(scope, ann), await begun(scope, ann)
    await AnswerLog(scope).finish(first.answer.id, Outcome(TurnState.DONE, "x"))
    await ChatStore(scope, ann).ask(first.conversation.id, Question("and?"), 9.0)
    listed = await ChatStore(scope, ann).conversations()
    assert [conversation.id for conversation in listed] == [first.conversation.id, second.conversation.id]
    assert (listed[0].model, listed[0].system) == ("m", "Be terse.")
    assert await ChatStore(scope, bob).conversations() == []
    for attempt in (
        ChatStore(scope, bob).read(first.conversation.id),
        ChatStore(scope, bob).turn(first.answer.id),
        ChatStore(scope, bob).forget(first.conversation.id),
        ChatStore(scope, bob).again(first.answer.id, "", 1.0),
        ChatStore(scope, bob).conversation(first.conversation.id),
        ChatStore(scope, bob).share(first.conversation.id, None),
        ChatStore(scope, bob).ask(first.conversation.id, Question("x"), 1.0),
    ):
        with pytest.raises(NotFound):
            await attempt
    await ChatStore(scope, ann).forget(first.conversation.id)
    with pytest.raises(NotFound):
        await ChatStore(scope, ann).turn(first.answer.id)


async def test_another_answer_takes_the_place_of_the_first_and_of_what_followed(scope: Scope) -> None:
    ann, _ = await people(scope)
    store, log = ChatStore(scope, ann), AnswerLog(scope)
    first = await store.ask(None, Question("why?", "m", pictures=("GIF1", "GIF2")), 1.0)
    with pytest.raises(Conflict):
        await store.again(first.answer.id, "", 2.0)
    await log.finish(first.answer.id, Outcome(TurnState.DONE, "one"))
    follow = await store.ask(first.conversation.id, Question("and?"), 2.0)
    await log.finish(follow.answer.id, Outcome(TurnState.DONE, "two"))
    again = await store.again(first.answer.id, "m2", 3.0)
    assert (again.conversation.model, again.path) == ("m2", first.path)
    assert again.pictures == first.pictures == {first.path[0].id: ("GIF1", "GIF2")}
    (left,) = await log.unfinished()
    assert (left.asked, left.shown) == (again, "")
    _, shown = await store.read(first.conversation.id)
    assert [turn.id for turn in shown] == [first.path[0].id, again.answer.id]
    assert (await store.turn(first.answer.id)).outcome.text == "one"
    await log.finish(again.answer.id, Outcome(TurnState.DONE, "three"))
    with pytest.raises(NotFound):
        await store.again(first.path[0].id, "", 4.0)


async def test_two_questions_at_once_are_not_both_taken(scope: Scope) -> None:
    ann, _ = await people(scope)
    first = await begun(scope, ann)
    await AnswerLog(scope).finish(first.answer.id, Outcome(TurnState.DONE, "x"))
    asks = [ChatStore(scope, ann).ask(first.conversation.id, Question(f"{i}?"), 2.0) for i in range(4)]
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Asked", "Conflict", "Conflict", "Conflict"]


async def test_a_long_conversation_is_deleted_whole(scope: Scope) -> None:
    ann, _ = await people(scope)
    asked = await begun(scope, ann)
    async with scope.write() as session:
        parent = asked.answer.id
        for number in range(parent + 1, parent + 1_200):  # more than the steps that SQLite lets one deletion cause
            row = _new_turn(await session.get_one(ConversationRow, asked.conversation.id), parent, "user", 2.0, ann)
            row.id, row.state = number, "done"
            session.add(row)
            parent = TurnId(number)
    store = ChatStore(scope, ann)
    assert len((await store.read(asked.conversation.id))[1]) == TURNS_MAX
    await store.forget(asked.conversation.id)
    with pytest.raises(NotFound):
        await store.turn(parent)
