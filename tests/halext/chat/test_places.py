from __future__ import annotations

import asyncio

import pytest

from halext.accounts.types import LOCAL
from halext.accounts.workspaces.store import WorkspaceStore
from halext.accounts.workspaces.types import WorkspaceRole
from halext.chat.places import Places
from halext.chat.types import Conversation, ConversationId
from halext.errors import InvalidInput, NotFound

from .conftest import Room

HERE, THERE = "discord:channel:1", "telegram:chat:5"


async def begin(room: Room, text: str) -> Conversation:
    room.model.say("x", None)
    conversation, turn = await room.answers.ask(room.ann, text)
    async for _ in room.answers.follow(room.ann, turn.id):
        pass
    return conversation


async def test_a_place_keeps_its_conversation(room: Room) -> None:
    places = Places(room.scope)
    assert await places.current(room.ann, HERE) is None
    first, second = await begin(room, "one"), await begin(room, "two")
    await places.open(room.ann, HERE, first.id)
    await places.open(room.ann, THERE, first.id)
    assert await places.current(room.ann, HERE) == await places.current(room.ann, THERE) == first
    await places.open(room.ann, HERE, second.id)
    assert await places.current(room.ann, HERE) == second
    assert await places.current(room.ann, THERE) == first
    assert await places.current(room.bob, HERE) is None  # in one channel, everyone has a conversation of their own
    await places.leave(room.ann, HERE)
    assert await places.current(room.ann, HERE) is None


async def test_a_conversation_that_is_deleted_is_open_nowhere(room: Room) -> None:
    places = Places(room.scope)
    conversation = await begin(room, "one")
    await places.open(room.ann, HERE, conversation.id)
    await room.answers.forget(room.ann, conversation.id)
    assert await places.current(room.ann, HERE) is None


async def test_what_is_no_longer_shared_is_open_nowhere(room: Room) -> None:
    places, conversation = Places(room.scope), await begin(room, "one")
    family = WorkspaceStore(room.scope, conversation.owner_id)
    await family.create("family", 0.0)
    await family.add("family", "Bob", WorkspaceRole.VIEWER, 0.0)
    await room.answers.share(room.ann, conversation.id, "family")
    await places.open(room.bob, HERE, conversation.id)
    shared = await places.current(room.bob, HERE)
    assert shared is not None
    assert (shared.id, shared.sharing.owner) == (conversation.id, "Ann")
    await family.remove("family", "Bob")
    assert await places.current(room.bob, HERE) is None


async def test_what_can_not_be_opened(room: Room) -> None:
    places = Places(room.scope)
    conversation = await begin(room, "one")
    for caller, number in ((room.bob, conversation.id), (room.ann, ConversationId(999))):
        with pytest.raises(NotFound):
            await places.open(caller, HERE, number)
    with pytest.raises(InvalidInput):
        await places.current(room.ann, "")
    with pytest.raises(InvalidInput, match="belong to a person"):
        await places.current(LOCAL, HERE)


async def test_a_place_keeps_the_model_that_one_person_wants_there(room: Room) -> None:
    places = Places(room.scope)
    assert await places.model(room.ann, HERE) == ""
    await places.want_model(room.ann, HERE, "llama3.2:3b")
    await places.want_model(room.ann, HERE, " qwen3:8b ")
    await places.want_model(room.ann, THERE, "auto")
    assert [await places.model(room.ann, place) for place in (HERE, THERE)] == ["qwen3:8b", "auto"]
    assert await places.model(room.bob, HERE) == ""
    await places.leave(room.ann, HERE)  # another conversation, the same model
    assert await places.model(room.ann, HERE) == "qwen3:8b"
    await places.want_model(room.ann, HERE, "")
    assert await places.model(room.ann, HERE) == ""


async def test_several_wishes_at_once_fail_nobody(room: Room) -> None:
    places = Places(room.scope)
    wishes = [f"model{number}" for number in range(8)]
    async with asyncio.TaskGroup() as group:
        for wish in wishes:
            group.create_task(places.want_model(room.ann, HERE, wish))
    assert await places.model(room.ann, HERE) in wishes


async def test_what_can_not_be_wanted(room: Room) -> None:
    places = Places(room.scope)
    for place, model in ((HERE, "x" * 256), (HERE, "a\nb"), ("", "m"), ("x" * 201, "m")):
        with pytest.raises(InvalidInput):
            await places.want_model(room.ann, place, model)
    for attempt in (places.want_model(LOCAL, HERE, "m"), places.model(LOCAL, HERE)):
        with pytest.raises(InvalidInput, match="belong to a person"):
            await attempt
    assert await places.model(room.ann, HERE) == ""
