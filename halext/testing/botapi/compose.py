"""From a bot's call to a message in a chat: may it write there, what does the text say, what does it answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from halext.testing.botapi import html_text, markdown_text
from halext.testing.botapi.forms import Form, bad
from halext.testing.botapi.text import ParseError, Text, check, tidy, utf16
from halext.testing.botapi.world import Chat, Message, World
from halext.testing.fake import Refusal

MAX_TEXT = 4096
MAX_CAPTION = 1024
"""Both in UTF-16 units, after parsing."""
MAX_SOURCE_BYTES = 32 * 1024
"""Before parsing."""

Method = Callable[[World, Form], Any]
"""One method of the API: it returns what goes into `result`."""


def writable(world: World, form: Form) -> Chat:
    """The chat that the call names. Refusal when there is none or the bot may not write there."""
    chat = world.chat(form.number("chat_id"))
    if chat.is_bot_kicked:
        raise Refusal(403, f"Forbidden: bot was kicked from the {chat.kind} chat")
    if chat.kind == "private":
        user = chat.people[0]
        if user.has_blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if not user.has_started:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
    return chat


def parsed(world: World, source: str, parse_mode: str, entities: list[Any]) -> Text:
    """A text with its marks as Telegram stores it. Refusal when it can't be parsed."""
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise bad("message is too long")
    try:
        match parse_mode.lower():
            case "":
                text = Text(source, check(source, entities))
            case "markdownv2":
                text = markdown_text.parse(source)
            case "html":
                text = html_text.parse(source)
            case _:
                raise bad("unsupported parse_mode")
    except ParseError as error:
        prefix = "can't parse entities: " if parse_mode else ""
        raise bad(f"{prefix}{error}") from None
    return _known_people(world, tidy(text))


def _known_people(world: World, text: Text) -> Text:
    """Mentions without a name need someone whom the bot has met; others become plain text."""
    marks = []
    for mark in text.entities:
        user = world.users.get(int(mark["user"]["id"])) if mark["type"] == "text_mention" else None
        if mark["type"] != "text_mention" or user:
            marks.append({**mark, "user": user.json()} if user else mark)
    return Text(text.text, tuple(marks))


def read_text(world: World, form: Form, *, too_long: str = "message is too long", may_be_empty: bool = False) -> Text:
    """The text of the call, at most 4096 units long. Refusal when it is empty, unless it may be."""
    text = parsed(world, form.text("text"), form.text("parse_mode"), form.items("entities"))
    if not text.text and not may_be_empty:
        raise bad("message text is empty")
    if utf16(text.text) > MAX_TEXT:
        raise bad(too_long)
    return text


def read_caption(world: World, values: Form) -> Text:
    """The caption of the call, at most 1024 units long."""
    text = parsed(world, values.text("caption"), values.text("parse_mode"), values.items("caption_entities"))
    if utf16(text.text) > MAX_CAPTION:
        raise bad("message caption is too long")
    return text


def text_content(text: Text) -> dict[str, Any]:
    """The fields of a message that says this."""
    return {"text": text.text, "entities": list(text.entities)}


def caption_content(text: Text) -> dict[str, Any]:
    """The fields of a message that says this under a picture or file."""
    return {"caption": text.text, "caption_entities": list(text.entities)}


def thread(chat: Chat, form: Form) -> int:
    """The topic that the call names, 0 for none. Refusal when the chat doesn't have it."""
    topic = form.number("message_thread_id")
    if topic and topic not in chat.topics:
        raise bad("message thread not found")
    return topic


def answered(chat: Chat, form: Form) -> Message | None:
    """The message that the call replies to. Refusal when it is gone, unless the call is content without it."""
    reply = form.mapping("reply_parameters")
    number = int(reply.get("message_id") or form.number("reply_to_message_id"))
    if not number:
        return None
    message = chat.messages.get(number)
    if message is not None and not message.is_deleted:
        return message
    if reply.get("allow_sending_without_reply") or form.truth("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def post(
    world: World,
    form: Form,
    chat: Chat,
    content: Mapping[str, Any],
    markup: Mapping[str, Any] | None,
    extra: Mapping[str, Any] | None = None,
) -> Message:
    """Put the bot's message into the chat; what it was drafting there is gone."""
    topic, reply_to = thread(chat, form), answered(chat, form)
    sender = None if chat.kind == "channel" else world.bot.json()
    more = {"sender_chat": chat.json()} if chat.kind == "channel" else {}
    for draft in [draft for draft in chat.drafts.values() if draft.topic == topic]:
        del chat.drafts[draft.id]
    return world.add_message(
        chat, sender, content, markup=markup, topic=topic, reply_to=reply_to, extra={**more, **(extra or {})}
    )
