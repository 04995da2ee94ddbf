from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.people import Person
from halext.testing.botapi.world import Chat, World

Call = Callable[..., Any]


@pytest.fixture
def group(world: World, ada: Person) -> Chat:
    return world.add_chat("supergroup", "Home", [ada.user], is_forum=True)


async def heard(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Kind and body of what waits for the bot, oldest first, and nothing waits any more."""
    updates = await world.updates.poll(0, 100, 0)
    if updates:
        await world.updates.poll(updates[-1]["update_id"] + 1, 1, 0)
    return [(kind, body) for update in updates for kind, body in update.items() if kind != "update_id"]


async def test_files_replies_and_topics(world: World, ada: Person, group: Chat) -> None:
    topic = world.add_topic(group, "Models")
    first = ada.say("/ask", chat=group, topic=topic)
    ada.say("see *this*", photo=b"\x89PNG", reply_to=first)
    ada.say(voice=b"OggS")
    bodies = [body for _, body in await heard(world)]
    assert [body.get("message_thread_id") for body in bodies[1:3]] == [topic, None]
    assert bodies[2]["caption"] == "see *this*"
    assert bodies[2]["reply_to_message"]["text"] == "/ask"
    assert bodies[3]["voice"]["file_size"] == 4


async def test_in_groups_the_bot_hears_what_is_meant_for_it(world: World, ada: Person, group: Chat, call: Call) -> None:
    answer = group.messages[call("sendMessage", chat_id=group.id, text="x")["message_id"]]
    ada.command("ask", "why", chat=group)
    ada.say("/ask@other_bot why", chat=group)
    ada.say("nice weather", chat=group)
    ada.say("@Halext_Bot hello", chat=group)
    ada.say("indeed", chat=group, reply_to=answer)
    assert [body["text"] for _, body in await heard(world)][1:] == [
        "/ask@halext_bot why",
        "@Halext_Bot hello",
        "indeed",
    ]
    world.reads_all = True
    ada.say("nice weather", chat=group)
    assert len(await heard(world)) == 1
    ada.kick_bot(group)
    ada.say("nice weather", chat=group)
    [(kind, body)] = await heard(world)
    assert (kind, body["new_chat_member"]["status"]) == ("my_chat_member", "kicked")


async def test_edits_forwards_and_reactions(world: World, ada: Person, call: Call) -> None:
    world.updates.allow(["message", "edited_message", "message_reaction"])
    message = ada.say("one")
    ada.edit(message, "two /x")
    forwarded = ada.forward(message)
    ada.react(message, "👍")
    ada.react(message, "")
    ada.delete(message)
    kinds = [kind for kind, _ in await heard(world)]
    assert kinds == ["message", "message", "edited_message", "message", "message_reaction", "message_reaction"]
    assert message.edited_at is not None
    assert forwarded.extra["forward_origin"]["sender_user"]["id"] == ada.id
    assert (ada.chat.texts, message.reactions) == (["hi", "two /x"], {})


async def test_captions_are_edited_as_captions(ada: Person) -> None:
    message = ada.say("one", document=("a.txt", b"x"))
    ada.edit(message, "two")
    assert (message.text, "text" in message.content) == ("two", False)


async def test_in_the_name_of_a_chat(world: World, ada: Person, group: Chat) -> None:
    channel = world.add_chat("channel", "News", [ada.user])
    world.reads_all = True
    ada.say("as the group", chat=group, as_chat=group)
    ada.say("as the channel", chat=group, as_chat=channel)
    post = ada.say("a post", chat=channel)
    ada.forward(post, chat=group)
    (_, _), (_, anonymous), (_, linked), (kind, posted), (_, forwarded) = await heard(world)
    assert (anonymous["from"]["username"], anonymous["sender_chat"]["id"]) == ("GroupAnonymousBot", group.id)
    assert (linked["from"]["username"], linked["sender_chat"]["id"]) == ("Channel_Bot", channel.id)
    assert (kind, "from" in posted, posted["sender_chat"]["id"]) == ("channel_post", False, channel.id)
    assert forwarded["forward_origin"]["type"] == "channel"


async def test_blocking_ends_with_the_next_word(world: World, ada: Person) -> None:
    ada.block()
    assert ada.user.has_blocked
    ada.unblock()
    ada.block()
    ada.say("again")
    assert not ada.user.has_blocked
    kinds = [kind for kind, _ in await heard(world)]
    assert kinds == ["message", "my_chat_member", "my_chat_member", "my_chat_member", "message"]


def test_what_people_cannot_do(world: World, ada: Person, group: Chat, call: Call) -> None:
    bob = Person(world, world.add_user("Bob", "", "en"))
    buttons = {"inline_keyboard": [[{"text": "Site", "url": "example.org"}, {"text": "Go", "callback_data": "g"}]]}
    sent = ada.chat.messages[call("sendMessage", chat_id=ada.id, text="x", reply_markup=buttons)["message_id"]]
    with pytest.raises(ValueError, match="Bob is not in Home"):
        bob.say("x", chat=group)
    with pytest.raises(ValueError, match="Bob is not in Ada"):
        bob.press(sent, "Go")
    with pytest.raises(LookupError, match="no button 'Stop'"):
        ada.press(sent, "Stop")
    with pytest.raises(ValueError, match="opens something"):
        ada.press(sent, "Site")
    with pytest.raises(ValueError, match="only what they wrote themselves"):
        ada.edit(sent, "y")
    with pytest.raises(ValueError, match="has no topic 9"):
        ada.say("x", chat=group, topic=9)
    with pytest.raises(ValueError, match="a text, or one file"):
        ada.say(" ")
    with pytest.raises(ValueError, match="in the name of the group itself"):
        ada.say("x", chat=group, as_chat=ada.chat)
    call("deleteMessage", chat_id=ada.id, message_id=sent.id)
    with pytest.raises(LookupError, match="gone"):
        ada.press(sent, "Go")
    with pytest.raises(IndexError):
        ada.choose(ada.query("x"), 0)
    assert repr(bob) == f"Person('Bob', {bob.id})"
