from __future__ import annotations

from typing import Any

import pytest
from telegram import Update, User

from halext_bots.telegram.incoming import Heard, heard

BOT = User(7, "halext", is_bot=True, username="halext_bot")
ADA = {"id": 1001, "is_bot": False, "first_name": "Ada", "username": "ada"}
SELF = {"id": 7, "is_bot": True, "first_name": "halext", "username": "halext_bot"}
PRIVATE, GROUP = {"id": 1001, "type": "private"}, {"id": -5, "type": "supergroup", "title": "Home"}


def entities(text: str) -> list[dict[str, Any]]:
    """What Telegram would mark: a command at the beginning, and mentions."""
    found, at = [], 0
    for word in text.split(" "):
        kind = "bot_command" if word.startswith("/") else "mention" if word.startswith("@") else ""
        if kind:
            found.append({"type": kind, "offset": at, "length": len(word)})
        at += len(word) + 1
    return found


def message(text: str = "", chat: dict[str, Any] = PRIVATE, **fields: Any) -> dict[str, Any]:
    words = {"text": text, "entities": entities(text)} if text else {}
    return {"message_id": 3, "date": 1, "chat": chat, "from": ADA, **words, **fields}


def hear(body: dict[str, Any], kind: str = "message") -> Heard | None:
    update = Update.de_json({"update_id": 1, kind: body}, None)
    assert update is not None
    return heard(update, BOT)


def replied(chat: dict[str, Any] = GROUP, sender: dict[str, Any] = SELF) -> dict[str, Any]:
    return {"message_id": 2, "date": 1, "chat": chat, "from": sender, "text": "earlier"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Why?", "", "Why?"),
        ("/ask why?", "ask why?", ""),
        ("/task_add milk", "task add milk", ""),
        ("/ask@halext_bot why?", "ask why?", ""),
        ("/Ask@HALEXT_BOT why?", "Ask why?", ""),
        ("/ask@other_bot why?", "", "/ask@other_bot why?"),
        ("say /ask", "", "say /ask"),
        ("/start CODE", "start CODE", ""),
        ("/ask", "ask", ""),
    ],
)
def test_in_private_everything_is_meant_for_the_bot(text: str, line: str, words: str) -> None:
    found = hear(message(text))
    assert found is not None
    assert (found.line, found.text, found.is_private, found.chat, found.place) == (
        line,
        words,
        True,
        "1001",
        "telegram:1001",
    )
    assert (found.account.platform, found.account.id, found.account.name) == ("telegram", "1001", "@ada")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("@halext_bot why?", "", "why?"),
        ("why, @Halext_Bot ?", "", "why,  ?"),
        ("/ask why?", "ask why?", ""),
        ("/task_add milk", "task add milk", ""),
        ("/link@halext_bot CODE", "link CODE", ""),
        ("/frobnicate @halext_bot", "", "/frobnicate"),
    ],
)
def test_in_a_group_a_mention_or_a_command_is(text: str, line: str, words: str) -> None:
    found = hear(message(text, GROUP))
    assert found is not None
    assert (found.line, found.text, found.is_private) == (line, words, False)


@pytest.mark.parametrize(
    "text", ["why?", "@other_bot why?", "/link CODE", "/ask@other_bot x", "/ask@other_bot @halext_bot"]
)
def test_in_a_group_nothing_else_is(text: str) -> None:
    assert hear(message(text, GROUP)) is None


def test_a_reply_to_the_bot_is_meant_for_it_and_one_to_others_is_not() -> None:
    found = hear(message("and?", GROUP, reply_to_message=replied()))
    assert found is not None
    assert found.text == "and?"
    assert hear(message("/unlink", GROUP, reply_to_message=replied())) is not None
    assert hear(message("/ask@other_bot x", GROUP, reply_to_message=replied())) is None
    assert hear(message("and?", GROUP, reply_to_message=replied(sender=ADA))) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"sender_chat": GROUP},
        {"from": {**ADA, "is_bot": True}},
        {"from": None},
        {"pinned_message": replied(PRIVATE)},
    ],
)
def test_who_has_no_identity_and_what_nobody_said_is_not_heard(fields: dict[str, Any]) -> None:
    body = message("" if "pinned_message" in fields else "hello", **fields)
    assert hear({name: value for name, value in body.items() if value is not None}) is None


def test_edits_and_posts_of_channels_are_not_heard() -> None:
    assert hear(message("hello"), "edited_message") is None
    assert hear(message("hello", {"id": -9, "type": "channel", "title": "News"}), "channel_post") is None


def test_a_forwarded_command_is_words() -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Eve", "date": 1}
    found = hear(message("/unlink now", forward_origin=origin))
    assert found is not None
    assert (found.line, found.text) == ("", "/unlink now")


def test_files_are_named_and_of_a_picture_the_largest_is_meant() -> None:
    sizes = [
        {"file_id": f"p{n}", "file_unique_id": f"u{n}", "width": n, "height": n, "file_size": n} for n in (90, 800)
    ]
    found = hear(message(photo=sizes, caption="/ask this?", caption_entities=entities("/ask this?")))
    assert found is not None
    assert found.line == "ask this?"
    assert [(file.file_id, file.name, file.size) for file in found.attachments] == [("p800", "photo.jpg", 800)]
    plain = hear(message(document={"file_id": "d", "file_unique_id": "u"}))
    assert plain is not None
    assert [(file.file_id, file.name, file.size) for file in plain.attachments] == [("d", "file", 0)]
    assert hear(message(chat=GROUP, photo=sizes)) is None
    asked = hear(message(chat=GROUP, photo=sizes, caption="@halext_bot", caption_entities=entities("@halext_bot")))
    assert asked is not None
    assert (asked.text, len(asked.attachments)) == ("", 1)


@pytest.mark.parametrize(
    ("fields", "is_unreadable"),
    [
        ({"voice": {"file_id": "v", "file_unique_id": "u", "duration": 1}}, True),
        ({"animation": {"file_id": "a", "file_unique_id": "u", "width": 1, "height": 1, "duration": 1},
          "document": {"file_id": "a", "file_unique_id": "u"}}, True),
        ({"text": "hello"}, False),
    ],
)  # fmt: skip
def test_what_can_not_be_taken_in_is_known_as_such(fields: dict[str, Any], is_unreadable: bool) -> None:
    found = hear(message(**fields))
    assert found is not None
    assert (found.is_unreadable, found.attachments) == (is_unreadable, ())


def test_topics_are_places_of_their_own_and_threads_of_replies_are_not() -> None:
    topic = hear(message("@halext_bot x", GROUP, message_thread_id=4, is_topic_message=True))
    assert topic is not None
    assert (topic.thread_id, topic.chat, topic.place) == (4, "-5:4", "telegram:-5:4")
    thread = hear(message("@halext_bot x", GROUP, message_thread_id=4))
    assert thread is not None
    assert (thread.thread_id, thread.chat) == (None, "-5")


def test_a_pressed_button_is_a_line_of_who_pressed_it() -> None:
    eve = {"id": 1002, "is_bot": False, "first_name": "Eve", "last_name": "E"}
    press = {"id": "77", "from": eve, "chat_instance": "1", "data": "stop 5"}
    found = hear(
        {**press, "message": {**replied(), "message_thread_id": 4, "is_topic_message": True}}, "callback_query"
    )
    assert found is not None
    assert (found.line, found.callback_id, found.account.id, found.chat) == ("stop 5", "77", "1002", "-5:4")
    assert found.account.name == "Eve E"
    old = hear({**press, "message": {"message_id": 2, "date": 0, "chat": GROUP}}, "callback_query")
    assert old is not None
    assert old.chat == "-5"
    assert hear({**press, "inline_message_id": "9"}, "callback_query") is None
    assert hear({**press, "message": replied(), "data": ""}, "callback_query") is None
