from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL
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
