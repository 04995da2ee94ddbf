from __future__ import annotations

import asyncio

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.chat.showings.store import ShowingStore
from halext.chat.showings.types import Showing
from halext.chat.store import ChatStore
from halext.chat.types import Asked, Question, TurnId
from halext.storage.scope import Scope
from halext.types import UserId


async def asked(scope: Scope, *, times: int = 1) -> tuple[ChatStore, list[Asked]]:
    ann = await PeopleStore(scope).add("Ann", Role.MEMBER, None, 0.0)
    chat = ChatStore(scope, ann.id)
    return chat, [await chat.ask(None, Question("why?", "", "", ()), 1.0) for _ in range(times)]


def showing(of: Asked, *refs: str) -> Showing:
    return Showing(of.answer.id, of.conversation.owner_id, "channel:5", refs)


async def test_what_is_shown_is_known_after_a_crash(scope: Scope) -> None:
    _, (first, second) = await asked(scope, times=2)
    store = ShowingStore(scope, "discord")
    await store.note(showing(second))
    await store.note(showing(first, "m1"))
    await store.note(showing(first, "m1", "m2"))
    assert await ShowingStore(scope, "discord").all() == [showing(first, "m1", "m2"), showing(second)]
    await store.forget(first.answer.id)
    await store.forget(TurnId(999))
    assert await store.all() == [showing(second)]


async def test_doors_have_their_own(scope: Scope) -> None:
    _, (one,) = await asked(scope)
    discord, telegram = ShowingStore(scope, "discord"), ShowingStore(scope, "telegram")
    await discord.note(showing(one, "d"))
    await telegram.note(showing(one, "t"))
    await telegram.forget(one.answer.id)
    assert (await discord.all(), await telegram.all()) == ([showing(one, "d")], [])


async def test_an_answer_that_is_deleted_is_not_shown(scope: Scope) -> None:
    chat, (one,) = await asked(scope)
    store = ShowingStore(scope, "discord")
    await store.note(showing(one, "m"))
    await chat.forget(one.conversation.id)
    assert await store.all() == []
    await store.note(showing(one, "m"))
    await store.note(Showing(TurnId(999), UserId(999), "c"))
    assert await store.all() == []


@pytest.mark.parametrize("attempt", range(3))
async def test_notes_at_once_and_a_deletion_between_them_fail_nobody(scope: Scope, attempt: int) -> None:
    chat, (one,) = await asked(scope)
    store = ShowingStore(scope, "discord")
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(store.note(showing(one, f"m{number}")))
        group.create_task(chat.forget(one.conversation.id))
        for number in range(6):
            group.create_task(store.note(showing(one, f"m{number}")))
    assert await store.all() == []
