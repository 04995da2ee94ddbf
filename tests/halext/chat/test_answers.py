from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest

from halext.accounts.types import LOCAL, Caller
from halext.accounts.workspaces.store import WorkspaceStore
from halext.accounts.workspaces.types import Access, Sharing, WorkspaceRole
from halext.chat.answers import LOOK_S
from halext.chat.store import AnswerLog, ChatStore
from halext.chat.types import ConversationId, Event, Question, Turn, TurnId, TurnState
from halext.errors import Conflict, DatabaseUnavailable, Forbidden, Interrupted, InvalidInput, NoNodeOnline, NotFound
from halext.messages import Message
from halext.runtime.background import Background
from halext.types import UserId

from .conftest import Room, make


async def until_done(room: Room, turn: TurnId, after: int = 0) -> list[Event]:
    async with asyncio.timeout(10):
        return [event async for event in room.answers.follow(room.ann, turn, after)]


async def listen(room: Room, turn: TurnId, after: int, heard: list[Event], began: asyncio.Event) -> None:
    async for event in room.answers.follow(room.ann, turn, after):
        heard.append(event)
        began.set()


async def test_a_question_is_answered_and_kept(room: Room) -> None:
    conversation, turn = await room.answers.ask(room.ann, " Why is the sky blue? ")
    assert (conversation.title, turn.outcome.state) == ("Why is the sky blue?", TurnState.RUNNING)
    events: list[Event] = []
    async with asyncio.timeout(10):
        async for event in room.answers.follow(room.ann, turn.id):
            if not events:
                room.model.say("Because", " of", " air.\n\nAnd light", ".", None)
            events.append(event)
    assert [event.text for event in events if event.kind == "block"] == ["Because of air.\n\n"]
    done = events[-1].turn
    assert done is not None
    assert (done.outcome.state, done.outcome.text) == (TurnState.DONE, "Because of air.\n\nAnd light.")
    _, turns = await room.answers.read(room.ann, conversation.id)
    assert [(known.role, known.outcome.text) for known in turns] == [
        ("user", "Why is the sky blue?"),
        ("assistant", "Because of air.\n\nAnd light."),
    ]
    assert [event.kind for event in await until_done(room, turn.id)] == ["whole", "done"]


async def test_an_answer_ends_with_the_access_of_who_asked(room: Room) -> None:
    _, turn = await room.answers.ask(room.ann, "Why?")
    _, others = await room.answers.ask(room.bob, "Why?")
    assert room.ann.user_id is not None
    room.answers.shut_out(room.ann.user_id)
    assert (await until_done(room, turn.id))[-1].kind == "done"
    assert (await room.answers.turn(room.ann, turn.id)).outcome.state is TurnState.STOPPED
    assert (await room.answers.turn(room.bob, others.id)).outcome.state is TurnState.RUNNING


async def test_the_model_remembers(room: Room) -> None:
    room.model.say("Hello Ann.", None)
    conversation, turn = await room.answers.ask(room.ann, "I am Ann.", model="m")
    await until_done(room, turn.id)
    room.model.say("Ann.", None)
    again, second = await room.answers.ask(room.ann, "Who am I?", conversation=conversation.id)
    await until_done(room, second.id)
    assert again.id == conversation.id
    assert room.model.asked[1].model == "m"
    assert room.model.asked[1].messages == (
        Message("user", "I am Ann."),
        Message("assistant", "Hello Ann."),
        Message("user", "Who am I?"),
    )
    assert [known.id for known in await room.answers.conversations(room.ann)] == [conversation.id]


async def test_one_answer_at_a_time(room: Room) -> None:
    conversation, turn = await room.answers.ask(room.ann, "one")
    with pytest.raises(Conflict, match="still being written"):
        await room.answers.ask(room.ann, "two", conversation=conversation.id)
    room.model.say("x", None)
    await until_done(room, turn.id)
    room.model.say("y", None)
    _, second = await room.answers.ask(room.ann, "two", conversation=conversation.id)
    await until_done(room, second.id)


async def test_who_comes_late_or_again_misses_nothing_and_reads_nothing_twice(room: Room) -> None:
    _, turn = await room.answers.ask(room.ann, "go")
    first: list[Event] = []
    room.model.say("a\n\n", "b\n\n", "c")
    stream = cast("Any", room.answers.follow(room.ann, turn.id))
    async with asyncio.timeout(10), aclosing(stream):
        async for event in stream:
            first.append(event)
            if event.kind == "tail" and event.text == "c":
                break
    assert [event.seq for event in first if event.kind == "block"] == [1, 2]
    late: list[Event] = []
    again: list[Event] = []
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        began = [asyncio.Event(), asyncio.Event()]
        group.create_task(listen(room, turn.id, 0, late, began[0]))
        group.create_task(listen(room, turn.id, 2, again, began[1]))
        for event_of_one in began:
            await event_of_one.wait()
        room.model.say("\n\nd\n\n", "e", None)
    assert [event.text for event in late if event.kind == "block"] == ["a\n\n", "b\n\n", "c\n\n", "d\n\n"]
    assert [event.seq for event in again if event.kind == "block"] == [3, 4]
    assert late[-1].turn is not None
    assert late[-1].turn.outcome.text == "a\n\nb\n\nc\n\nd\n\ne"


async def test_who_reads_slowly_is_told_everything(room: Room) -> None:
    _, turn = await room.answers.ask(room.ann, "go")
    heard: list[Event] = []
    room.model.say("a\n\n", "b")
    async with asyncio.timeout(10):
        async for event in room.answers.follow(room.ann, turn.id):
            heard.append(event)
            if event.text == "b":
                room.model.say("c\n\n", "d", None)  # it comes to its end while this reader is not looking
                await until_done(room, turn.id)
    assert [event.text for event in heard if event.kind == "block"] == ["a\n\n", "bc\n\n"]
    assert (heard[-2].text, heard[-1].kind) == ("d", "done")


@pytest.mark.parametrize("pieces", [(), ("some",), ("some\n\n", "more")])
async def test_stop_keeps_what_there_is_and_frees_the_node(room: Room, pieces: tuple[str, ...]) -> None:
    _, turn = await room.answers.ask(room.ann, "go")
    room.model.say(*pieces)
    async with asyncio.timeout(10):
        async for event in room.answers.follow(room.ann, turn.id):
            if not pieces or event.text == pieces[-1]:
                break
        stopped = await room.answers.stop(room.ann, turn.id)
    assert (stopped.outcome.state, stopped.outcome.text) == (TurnState.STOPPED, "".join(pieces))
    assert room.model.closed == len(room.model.asked)
    assert (await room.answers.stop(room.ann, turn.id)).outcome == stopped.outcome


async def test_an_answer_that_breaks_off_keeps_its_text(room: Room) -> None:
    room.model.say("half", Interrupted("mac stopped"))
    _, turn = await room.answers.ask(room.ann, "go")
    ended = (await until_done(room, turn.id))[-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.text, ended.outcome.error) == ("interrupted", "half", "mac stopped")


async def test_an_answer_that_never_began_says_why(room: Room) -> None:
    room.model.say(NoNodeOnline("nobody is there"))
    _, turn = await room.answers.ask(room.ann, "go")
    ended = (await until_done(room, turn.id))[-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.error) == (TurnState.FAILED, "nobody is there")


async def test_others_conversations_are_not_there(room: Room) -> None:
    conversation, turn = await room.answers.ask(room.ann, "secret")
    attempts = [
        room.answers.read(room.bob, conversation.id),
        room.answers.stop(room.bob, turn.id),
        room.answers.forget(room.bob, conversation.id),
        room.answers.ask(room.bob, "x", conversation=conversation.id),
        anext(cast("Any", room.answers.follow(room.bob, turn.id))),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt
    assert await room.answers.conversations(room.bob) == []
    with pytest.raises(NotFound):
        await room.answers.read(room.ann, ConversationId(999))
    with pytest.raises(InvalidInput, match="belong to a person"):
        await room.answers.ask(LOCAL, "x")
    room.model.say(None)
    await until_done(room, turn.id)


async def test_forgetting_stops_and_deletes(room: Room) -> None:
    conversation, _ = await room.answers.ask(room.ann, "go")
    async with asyncio.timeout(10):
        await room.answers.forget(room.ann, conversation.id)
    assert await room.answers.conversations(room.ann) == []
    with pytest.raises(NotFound):
        await room.answers.read(room.ann, conversation.id)


async def answered(room: Room, *pieces: str, **how: Any) -> Turn:
    room.model.say(*pieces, None)
    _, turn = await room.answers.ask(room.ann, "go", **how)
    ended = (await until_done(room, turn.id))[-1].turn
    assert ended is not None
    return ended


async def test_what_stands_above_a_conversation_and_what_is_shown_in_it(room: Room) -> None:
    image = "iVBORw0KGgoAAAANSUhEUg=="
    turn = await answered(room, "x", system=" Be terse. ", images=[image])
    await answered(room, "y", conversation=turn.conversation)
    question = Message("user", "go", (image,))
    assert room.model.asked[1].messages == (
        Message("system", "Be terse."),
        question,
        Message("assistant", "x"),
        Message("user", "go"),
    )


async def test_another_answer_is_asked_of_another_model(room: Room) -> None:
    first = await answered(room, "one", model="m")
    await answered(room, "lost", conversation=first.conversation)
    room.model.say("two", None)
    conversation, turn = await room.answers.regenerate(room.ann, first.id, "m2")
    assert conversation.model == "m2"
    await until_done(room, turn.id)
    assert (room.model.asked[2].model, room.model.asked[2].messages) == ("m2", (Message("user", "go"),))
    _, turns = await room.answers.read(room.ann, conversation.id)
    assert [known.outcome.text for known in turns] == ["go", "two"]


async def test_an_answer_is_gone_on_with(room: Room) -> None:
    room.model.say("half", Interrupted("mac stopped"))
    conversation, turn = await room.answers.ask(room.ann, "go")
    await until_done(room, turn.id)
    room.model.say(" more", None)
    _, more = await room.answers.continue_(room.ann, turn.id)
    await until_done(room, more.id)
    assert room.model.asked[1].messages[1:] == (
        Message("assistant", "half"),
        Message("user", "Continue where you stopped."),
    )
    room.model.say(NoNodeOnline("nobody"))
    _, empty = await room.answers.ask(room.ann, "go", conversation=conversation.id)
    await until_done(room, empty.id)
    with pytest.raises(InvalidInput, match="has not begun"):
        await room.answers.continue_(room.ann, empty.id)


async def test_a_model_that_never_ends_is_ended(room: Room) -> None:
    turn = await answered(room, "x" * 300_000, "y" * 100_000, "z")
    assert turn.outcome.state is TurnState.INTERRUPTED
    assert "400,000 characters" in turn.outcome.error
    assert len(turn.outcome.text) == 400_000
    assert room.model.closed == 1


async def test_a_fault_of_ours_is_an_end_too(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.model.say("half", ZeroDivisionError("secret"))
    async with Background() as background:
        answers = make(room.scope, room.model, background)
        _, turn = await answers.ask(room.ann, "go")
        async with asyncio.timeout(10):
            ended = [event async for event in answers.follow(room.ann, turn.id)][-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.text) == (TurnState.INTERRUPTED, "half")
    assert "secret" not in ended.outcome.error
    assert f"answer {turn.id} stopped by a fault" in caplog.text


async def test_a_record_that_can_not_be_written_holds_nobody_up(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(AnswerLog, "finish", fail)
    room.model.say("x", None)
    _, turn = await room.answers.ask(room.ann, "go")
    await until_done(room, turn.id)
    assert (await room.answers.stop(room.ann, turn.id)).outcome.state is TurnState.RUNNING  # until the next start


# --- halext ends, and comes back ---


async def test_an_answer_nobody_saw_runs_again_by_itself(room: Room) -> None:
    async with Background() as before:
        _, turn = await make(room.scope, room.model, before).ask(room.ann, "go")
    room.model.say("here", None)
    await room.answers.recover(room.caller_of)
    ended = (await until_done(room, turn.id))[-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.text) == (TurnState.DONE, "here")
    assert room.model.asked[-1].messages == (Message("user", "go"),)


async def test_an_answer_that_was_shown_is_interrupted_and_its_text_kept(room: Room) -> None:
    async with Background() as before:
        earlier = make(room.scope, room.model, before)
        _, turn = await earlier.ask(room.ann, "go")
        room.model.say("one\n\n", "two")
        async with asyncio.timeout(10):
            async for event in earlier.follow(room.ann, turn.id):
                if event.text == "two":
                    break
    ended = (await until_done(room, turn.id))[-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.text) == (TurnState.INTERRUPTED, "one\n\ntwo")


async def test_after_a_kill_what_was_on_the_record_is_kept(room: Room) -> None:
    _, turn = await room.answers.ask(room.ann, "go")
    room.model.say("one\n\n", "two")
    async with asyncio.timeout(10):
        async for event in room.answers.follow(room.ann, turn.id):
            if event.text == "two":
                break
    after_kill = room.again()
    await after_kill.recover(room.caller_of)
    ended = [event async for event in after_kill.follow(room.ann, turn.id)][-1].turn
    assert ended is not None
    assert (ended.outcome.state, ended.outcome.text) == (TurnState.INTERRUPTED, "one\n\n")


async def test_one_answer_can_be_looked_up_by_its_owner(room: Room) -> None:
    room.model.say("Yes.", None)
    _, turn = await room.answers.ask(room.ann, "Is it?")
    await until_done(room, turn.id)
    found = await room.answers.turn(room.ann, turn.id)
    assert (found.id, found.role, found.outcome.state, found.outcome.text) == (
        turn.id,
        "assistant",
        TurnState.DONE,
        "Yes.",
    )
    for caller, number in ((room.bob, turn.id), (room.ann, TurnId(999))):
        with pytest.raises(NotFound, match="no such answer"):
            await room.answers.turn(caller, number)
    with pytest.raises(InvalidInput, match="belong to a person"):
        await room.answers.turn(LOCAL, turn.id)


async def test_progress_waits_for_more_than_was_seen_or_for_the_end(room: Room) -> None:
    _, turn = await room.answers.ask(room.ann, "go")
    room.model.say("Hel")
    async with asyncio.timeout(10):
        text, now = await room.answers.progress(room.ann, turn.id, 0, 9.0)
        assert (text, now.outcome.state) == ("Hel", TurnState.RUNNING)
        assert (await room.answers.progress(room.ann, turn.id, 3, 0.0))[0] == "Hel"
        waiting = asyncio.get_running_loop().create_task(room.answers.progress(room.ann, turn.id, 3, 9.0))
        await asyncio.sleep(0)
        room.model.say("lo", None)
        assert (await waiting)[0].startswith("Hello")
        await until_done(room, turn.id)
        text, now = await room.answers.progress(room.ann, turn.id, 5, 9.0)
    assert (text, now.outcome.state) == ("Hello", TurnState.DONE)
    with pytest.raises(NotFound):
        await room.answers.progress(room.bob, turn.id, 0, 0.0)


# --- shared ---


async def shared_with(room: Room, role: WorkspaceRole) -> tuple[ConversationId, TurnId]:
    """Ann's conversation with an answer that runs, shared with Bob."""
    await WorkspaceStore(room.scope, user(room.ann)).create("family", 0.0)
    await WorkspaceStore(room.scope, user(room.ann)).add("family", "Bob", role, 0.0)
    conversation, turn = await room.answers.ask(room.ann, "why?")
    shared = await room.answers.share(room.ann, conversation.id, "Family")
    assert shared.sharing == Sharing(Access.OWN, "family", "Ann")
    return conversation.id, turn.id


def user(caller: Caller) -> UserId:
    assert caller.user_id is not None
    return caller.user_id


async def test_members_follow_ask_and_stop_and_it_stays_its_owners(room: Room) -> None:
    conversation, turn = await shared_with(room, WorkspaceRole.MEMBER)
    room.model.say("because", None)
    assert [event.kind async for event in room.answers.follow(room.bob, turn)][-1] == "done"
    begun, second = await room.answers.ask(room.bob, "and?", conversation=conversation)
    assert begun.sharing == Sharing(Access.WRITE, "family", "Ann")
    assert (await room.answers.stop(room.bob, second.id)).outcome.state is TurnState.STOPPED
    for caller, access in ((room.ann, Access.OWN), (room.bob, Access.WRITE)):
        read, turns = await room.answers.read(caller, conversation)
        assert (read.sharing, read.owner_id) == (Sharing(access, "family", "Ann"), room.ann.user_id)
        assert [each.by for each in turns] == ["Ann", "Ann", "Bob", "Bob"]
        assert [each.id for each in await room.answers.conversations(caller)] == [conversation]
    for attempt in (
        room.answers.forget(room.bob, conversation),
        room.answers.share(room.bob, conversation, None),
        room.answers.share(room.bob, conversation, "family"),
    ):
        with pytest.raises(Forbidden, match="only its owner"):
            await attempt
    assert [each.id for each in await room.answers.conversations(room.bob)] == [conversation]


async def test_viewers_read_and_follow_and_nothing_else(room: Room) -> None:
    conversation, turn = await shared_with(room, WorkspaceRole.VIEWER)
    for attempt in (
        room.answers.ask(room.bob, "and?", conversation=conversation),
        room.answers.regenerate(room.bob, turn),
        room.answers.stop(room.bob, turn),
        room.answers.forget(room.bob, conversation),
    ):
        with pytest.raises(Forbidden, match="shared with you"):
            await attempt
    room.model.say("because", None)
    assert [event.kind async for event in room.answers.follow(room.bob, turn)][-1] == "done"
    with pytest.raises(Forbidden, match="viewer"):
        await room.answers.continue_(room.bob, turn)
    assert len((await room.answers.read(room.bob, conversation))[1]) == 2


async def end_by_removal(room: Room, conversation: ConversationId) -> None:
    await WorkspaceStore(room.scope, user(room.ann)).remove("family", "Bob")
    room.answers.look_again()


async def end_by_unsharing(room: Room, conversation: ConversationId) -> None:
    await room.answers.share(room.ann, conversation, None)


@pytest.mark.parametrize("end", [end_by_removal, end_by_unsharing])
async def test_a_stream_ends_with_the_access(
    room: Room, end: Callable[[Room, ConversationId], Awaitable[None]]
) -> None:
    conversation, turn = await shared_with(room, WorkspaceRole.MEMBER)
    his, hers = room.answers.follow(room.bob, turn), room.answers.follow(room.ann, turn)
    assert (await anext(his)).kind == (await anext(hers)).kind == "tail"
    await end(room, conversation)  # nothing is said meanwhile: it is the change that wakes him
    async with asyncio.timeout(5):
        assert [event async for event in his] == []
    room.model.say("secret", None)
    assert [event.kind async for event in hers][-1] == "done"
    for attempt in (room.answers.read(room.bob, conversation), anext(room.answers.follow(room.bob, turn))):
        with pytest.raises(NotFound):
            await attempt


async def test_a_change_in_another_process_ends_it_with_what_comes_next(room: Room) -> None:
    _, turn = await shared_with(room, WorkspaceRole.MEMBER)
    his = room.answers.follow(room.bob, turn)
    assert (await anext(his)).kind == "tail"
    await WorkspaceStore(room.scope, user(room.ann)).remove("family", "Bob")
    await room.clock.advance(LOOK_S)
    room.model.say("secret")
    async with asyncio.timeout(5):
        assert [event async for event in his] == []
    room.model.say(None)


async def test_who_waits_for_more_gets_none_when_it_is_taken_away(room: Room) -> None:
    conversation, turn = await shared_with(room, WorkspaceRole.MEMBER)
    waiting = asyncio.gather(room.answers.progress(room.bob, turn, 0, 5.0), return_exceptions=True)
    await asyncio.sleep(0)
    await end_by_removal(room, conversation)
    room.model.say("secret", None)
    (refused,) = await waiting
    assert isinstance(refused, NotFound)


async def test_after_a_crash_it_runs_for_who_asked_if_they_still_may(room: Room) -> None:
    conversation, first = await shared_with(room, WorkspaceRole.MEMBER)
    await room.answers.stop(room.ann, first)
    log = AnswerLog(room.scope)
    asked = await ChatStore(room.scope, user(room.bob)).ask(conversation, Question("and?"), 1.0)
    (left,) = await log.unfinished()
    assert (left.person, left.asked.answer) == (room.bob.user_id, asked.answer)
    await WorkspaceStore(room.scope, user(room.ann)).remove("family", "Bob")
    await room.again().recover(room.caller_of)
    assert (await room.answers.turn(room.ann, asked.answer.id)).outcome.state is TurnState.INTERRUPTED
