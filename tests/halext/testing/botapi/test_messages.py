from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.clock import ManualClock
from halext.testing.fake import Refusal

Call = Callable[..., Any]
STOP = {"inline_keyboard": [[{"text": "Stop", "callback_data": "s"}]]}


@pytest.fixture
def sent(call: Call, ada: Person) -> int:
    """The bot's own message, number 2."""
    return int(call("sendMessage", chat_id=ada.id, text="one", reply_markup=STOP)["message_id"])


def refused(call: Call, method: str, **values: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        call(method, **values)
    return refusal.value.text


def test_an_edit_keeps_its_history_and_drops_the_keyboard(call: Call, ada: Person, sent: int) -> None:
    edited = call("editMessageText", chat_id=ada.id, message_id=sent, text="two")
    assert (edited["text"], "edit_date" in edited, "reply_markup" in edited) == ("two", True, False)
    assert [revision.text for revision in ada.chat.messages[sent].revisions] == ["one", "two"]


def test_new_buttons_alone_leave_no_mark(call: Call, ada: Person, sent: int) -> None:
    edited = call("editMessageReplyMarkup", chat_id=ada.id, message_id=sent)
    assert "edit_date" not in edited
    assert ada.chat.messages[sent].buttons == []


@pytest.mark.parametrize(
    ("method", "values", "error"),
    [
        ("editMessageText", {"text": " *one* ", "reply_markup": STOP, "parse_mode": "MarkdownV2"}, ""),
        ("editMessageText", {"text": "one ", "reply_markup": STOP}, "message is not modified: specified new message"),
        ("editMessageReplyMarkup", {"reply_markup": STOP}, "message is not modified"),
        ("editMessageText", {"text": ""}, "message text is empty"),
        ("editMessageText", {"text": "x" * 4097}, "MESSAGE_TOO_LONG"),
        ("editMessageText", {"text": "x", "message_id": 1}, "message can't be edited"),
        ("editMessageText", {"text": "x", "message_id": 99}, "message to edit not found"),
        ("editMessageText", {"text": "x", "inline_message_id": "y"}, "MESSAGE_ID_INVALID"),
        ("editMessageCaption", {"caption": "x"}, "there is no caption in the message to edit"),
        ("sendMessage", {"text": " \n "}, "message text is empty"),
        ("sendMessage", {"text": "🙂" * 2048}, ""),
        ("sendMessage", {"text": "🙂" * 2049}, "message is too long"),
        ("sendMessage", {"text": f"<b>{'x' * 4096}</b>", "parse_mode": "HTML"}, ""),
        ("sendMessage", {"text": "&amp;" * 8000, "parse_mode": "html"}, "message is too long"),
        ("sendMessage", {"text": "a.b", "parse_mode": "MarkdownV2"}, "can't parse entities: Character '.' is reserved"),
        ("sendMessage", {"text": "a<b", "parse_mode": "HTML"}, "can't parse entities: Unclosed start tag"),
        ("sendMessage", {"text": "a", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ("sendMessage", {"text": "a", "entities": [{"type": "bold", "offset": 0, "length": 2}]}, "entity beginning at"),
        ("sendMessage", {"text": "a", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ("sendMessage", {"text": "a", "reply_to_message_id": "99"}, "message to be replied not found"),
        ("sendMessage", {"text": "a", "message_thread_id": 5}, "message thread not found"),
        ("sendMessageDraft", {"draft_id": 0, "text": "a"}, "draft_id must be non-zero"),
        ("sendMessageDraft", {"draft_id": 1, "text": ""}, ""),
        ("sendRichMessage", {"rich_message": {}}, "rich message must be given by exactly one of"),
        ("editMessageText", {"rich_message": {"html": "<h1>x</h1>"}}, ""),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
        ("deleteMessage", {"message_id": 99}, "message to delete not found"),
        ("deleteMessages", {"message_ids": []}, "message identifiers: 1-100 are expected"),
        ("pinChatMessage", {"message_id": 99}, "message to pin not found"),
        ("unpinChatMessage", {}, "message to unpin not found"),
        ("setMessageReaction", {"reaction": [{"type": "emoji", "emoji": "🥖"}]}, "REACTION_INVALID"),
        ("setMessageReaction", {"reaction": [{"emoji": "👍"}, {"emoji": "🔥"}]}, "REACTIONS_TOO_MANY"),
    ],
)  # fmt: skip
def test_limits(call: Call, ada: Person, sent: int, method: str, values: dict[str, Any], error: str) -> None:
    values = {"chat_id": str(ada.id), "message_id": sent, **values}
    if error:
        assert f"Bad Request: {error}" in refused(call, method, **values)
    else:
        assert call(method, **values)


def test_a_missing_reply_target_may_be_allowed(call: Call, ada: Person, sent: int) -> None:
    reply = {"message_id": 99, "allow_sending_without_reply": True}
    assert "reply_to_message" not in call("sendMessage", chat_id=ada.id, text="a", reply_parameters=reply)
    answer = call("sendMessage", chat_id=ada.id, text="a", reply_parameters={"message_id": sent})
    assert answer["reply_to_message"]["text"] == "one"


def test_deleted_messages_are_gone(call: Call, ada: Person, sent: int, clock: ManualClock) -> None:
    call("pinChatMessage", chat_id=ada.id, message_id=sent)
    assert call("deleteMessages", chat_id=ada.id, message_ids=[sent, 99])
    assert (ada.chat.texts, ada.chat.pinned) == (["hi"], [])
    assert "not found" in refused(call, "editMessageText", chat_id=ada.id, message_id=sent, text="x")
    assert call("deleteMessage", chat_id=ada.id, message_id=1)


async def test_old_messages_stay(call: Call, ada: Person, sent: int, clock: ManualClock) -> None:
    await clock.advance(49 * 3600)
    assert "message can't be deleted" in refused(call, "deleteMessage", chat_id=ada.id, message_id=sent)


def test_pins_and_reactions(call: Call, ada: Person, sent: int, world: World) -> None:
    for number in (1, sent):
        call("pinChatMessage", chat_id=ada.id, message_id=number)
    assert call("getChat", chat_id=ada.id)["pinned_message"]["message_id"] == sent
    call("unpinChatMessage", chat_id=ada.id)
    assert ada.chat.pinned == [1]
    call("unpinAllChatMessages", chat_id=ada.id)
    assert ada.chat.pinned == []
    for emoji in ([{"type": "emoji", "emoji": "👀"}], []):
        call("setMessageReaction", chat_id=ada.id, message_id=1, reaction=emoji)
        assert ada.chat.messages[1].reactions == ({world.bot.id: "👀"} if emoji else {})


def test_drafts_are_for_private_chats(call: Call, ada: Person, world: World) -> None:
    group = world.add_chat("supergroup", "Home", [ada.user])
    assert "only to private chats" in refused(call, "sendMessageDraft", chat_id=group.id, draft_id=1, text="x")


async def test_typing_shows_for_five_seconds(call: Call, ada: Person, world: World, clock: ManualClock) -> None:
    call("sendChatAction", chat_id=ada.id, action="typing")
    assert world.action(ada.chat) == "typing"
    await clock.advance(5)
    assert world.action(ada.chat) == ""
