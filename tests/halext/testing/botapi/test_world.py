from __future__ import annotations

from halext.testing.botapi.forms import Upload
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.clock import ManualClock


def test_ids_say_what_they_belong_to(world: World, ada: Person) -> None:
    chats = [world.add_chat(kind, "x", [ada.user]) for kind in ("group", "supergroup", "channel")]
    assert ada.id > 0
    assert -1_000_000_000_000 < chats[0].id < 0
    assert str(chats[1].id).startswith("-100")
    assert [chat.json()["type"] for chat in chats] == ["group", "supergroup", "channel"]
    assert [chat.is_group for chat in [ada.chat, *chats]] == [False, True, True, True]


def test_message_numbers_are_the_chats_own(world: World, ada: Person) -> None:
    group = world.add_chat("supergroup", "x", [ada.user])
    assert [ada.say("x", chat=group).id, ada.say("y", chat=group).id, ada.say("z").id] == [1, 2, 2]


async def test_a_message_as_the_api_shows_it(world: World, ada: Person, clock: ManualClock) -> None:
    first = ada.chat.messages[1]
    second = ada.say("yo", reply_to=first)
    third = ada.say("ha", reply_to=second)
    await clock.advance(9)
    world.revise(third, {"text": "ho"}, {"inline_keyboard": [[{"text": "Go", "callback_data": "g"}]]})
    shown = third.json()
    assert shown["reply_to_message"]["text"] == "yo"
    assert "reply_to_message" not in shown["reply_to_message"]
    assert shown["edit_date"] == shown["date"] + 9
    assert (third.buttons, third.revisions[1].at) == (["Go"], 9)
    second.is_deleted = True
    assert "reply_to_message" not in third.json()
    assert ada.chat.json() == {"id": ada.id, "type": "private", "first_name": "Ada", "username": "ada"}


def test_files_have_paths(world: World) -> None:
    paths = [world.keep(Upload(name, b""), "document").path for name in ("a.tar.gz", "README")]
    assert paths == ["documents/file_1.gz", "documents/file_2.bin"]
    assert world.new_album() != world.new_album()


def test_reprs_stay_short(world: World, ada: Person) -> None:
    for number in range(50):
        ada.say(f"{number}", reply_to=ada.chat.messages[1])
    assert len(repr(ada.chat)) < 600
