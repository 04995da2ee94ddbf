"""The methods that write, change and remove messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from halext.testing.botapi import keyboard, rich
from halext.testing.botapi.compose import (
    Method,
    caption_content,
    post,
    read_caption,
    read_text,
    text_content,
    thread,
    writable,
)
from halext.testing.botapi.forms import Form, bad
from halext.testing.botapi.text import Text
from halext.testing.botapi.world import Chat, Draft, Message, World

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
DELETABLE_S = 48 * 3600
"""Older messages stay for good."""
CHAT_ACTIONS = frozenset(
    {"typing", "choose_sticker", "find_location"}
    | {f"{verb}_{what}" for verb in ("record", "upload") for what in ("video", "voice", "video_note")}
    | {"upload_photo", "upload_document"}
)
REACTIONS = frozenset(
    re.findall(
        r"\S+",
        "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 "
        "💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 "
        "😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡",
    )
)
"""Those that everyone may give."""
MEDIA = frozenset({"photo", "document", "voice", "audio", "video", "animation"})


def _send_message(world: World, form: Form) -> dict[str, Any]:
    chat = writable(world, form)
    content = text_content(read_text(world, form))
    return post(world, form, chat, content, keyboard.read(form)).json()


def _send_rich_message(world: World, form: Form) -> dict[str, Any]:
    chat = writable(world, form)
    content = {"rich_message": rich.read(form.mapping("rich_message"))}
    return post(world, form, chat, content, keyboard.read(form)).json()


def _send_message_draft(world: World, form: Form) -> bool:
    chat = _draft_chat(world, form)
    text = read_text(world, form, may_be_empty=True)
    return _draft(world, chat, Draft(form.number("draft_id"), world.clock.monotonic(), text, thread(chat, form)))


def _send_rich_message_draft(world: World, form: Form) -> bool:
    chat = _draft_chat(world, form)
    message = rich.read(form.mapping("rich_message"), may_think=True)
    plain = Text(rich.plain(message))
    return _draft(
        world, chat, Draft(form.number("draft_id"), world.clock.monotonic(), plain, thread(chat, form), message)
    )


def _draft_chat(world: World, form: Form) -> Chat:
    chat = writable(world, form)
    if chat.kind != "private":
        raise bad("drafts can be sent only to private chats")
    if form.number("draft_id") == 0:
        raise bad("draft_id must be non-zero")
    return chat


def _draft(world: World, chat: Chat, draft: Draft) -> bool:
    chat.drafts[draft.id] = draft
    world.changed()
    return True


def _send_chat_action(world: World, form: Form) -> bool:
    chat = writable(world, form)
    action = form.text("action")
    if action not in CHAT_ACTIONS:
        raise bad("wrong parameter action in request")
    thread(chat, form)
    chat.actions.append((world.clock.monotonic(), action))
    world.changed()
    return True


def own_message(world: World, form: Form) -> Message:
    """The message that an edit means. Refusal when it is gone or someone else's."""
    inline_id = form.text("inline_message_id")
    if inline_id:
        message = world.inline_messages.get(inline_id)
        if message is None or message.is_deleted:
            raise bad("MESSAGE_ID_INVALID")
        return message
    chat = writable(world, form)
    message = world.message(chat, form.number("message_id"), "message to edit not found")
    sender = message.sender or message.extra.get("sender_chat", {})
    if (
        sender.get("id") not in {world.bot.id, chat.id if chat.kind == "channel" else None}
        or "via_bot" in message.extra
    ):
        raise bad("message can't be edited")
    return message


def _revise(world: World, form: Form, message: Message, content: Mapping[str, Any]) -> dict[str, Any] | bool:
    markup = keyboard.read(form, only_inline=True)
    if content == message.content and markup == message.markup:
        raise bad(NOT_MODIFIED)
    world.revise(message, content, markup)
    return True if form.text("inline_message_id") else message.json()


def _edit_message_text(world: World, form: Form) -> dict[str, Any] | bool:
    message = own_message(world, form)
    if MEDIA & set(message.content):
        raise bad("there is no text in the message to edit")
    if form.nested("rich_message"):
        return _revise(world, form, message, {"rich_message": rich.read(form.mapping("rich_message"))})
    return _revise(world, form, message, text_content(read_text(world, form, too_long="MESSAGE_TOO_LONG")))


def _edit_message_caption(world: World, form: Form) -> dict[str, Any] | bool:
    message = own_message(world, form)
    if not MEDIA & set(message.content):
        raise bad("there is no caption in the message to edit")
    content = {**message.content, **caption_content(read_caption(world, form))}
    return _revise(world, form, message, content)


def _edit_message_reply_markup(world: World, form: Form) -> dict[str, Any] | bool:
    message = own_message(world, form)
    return _revise(world, form, message, message.content)


def _delete(world: World, message: Message) -> None:
    if world.date() - message.date > DELETABLE_S:
        raise bad("message can't be deleted")
    message.is_deleted = True
    message.chat.pinned = [number for number in message.chat.pinned if number != message.id]
    world.changed()


def _delete_message(world: World, form: Form) -> bool:
    chat = writable(world, form)
    _delete(world, world.message(chat, form.number("message_id"), "message to delete not found"))
    return True


def _delete_messages(world: World, form: Form) -> bool:
    chat = writable(world, form)
    numbers = form.items("message_ids")
    if not 1 <= len(numbers) <= 100:
        raise bad("message identifiers: 1-100 are expected")
    for message in [chat.messages[number] for number in numbers if number in chat.messages]:
        if not message.is_deleted:
            _delete(world, message)
    return True


def _pin_chat_message(world: World, form: Form) -> bool:
    chat = writable(world, form)
    message = world.message(chat, form.number("message_id"), "message to pin not found")
    chat.pinned = [number for number in chat.pinned if number != message.id] + [message.id]
    world.changed()
    return True


def _unpin_chat_message(world: World, form: Form) -> bool:
    chat = writable(world, form)
    number = form.number("message_id", chat.pinned[-1] if chat.pinned else 0)
    if number not in chat.pinned:
        raise bad("message to unpin not found")
    chat.pinned.remove(number)
    world.changed()
    return True


def _unpin_all_chat_messages(world: World, form: Form) -> bool:
    writable(world, form).pinned.clear()
    world.changed()
    return True


def _set_message_reaction(world: World, form: Form) -> bool:
    chat = writable(world, form)
    message = world.message(chat, form.number("message_id"), "message to react not found")
    emojis = [str(reaction.get("emoji", "")) for reaction in form.items("reaction")]
    if len(emojis) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if set(emojis) - REACTIONS:
        raise bad("REACTION_INVALID")
    message.reactions.pop(world.bot.id, None)
    message.reactions |= dict.fromkeys([world.bot.id], emojis[0]) if emojis else {}
    world.changed()
    return True


METHODS: dict[str, Method] = {
    "sendMessage": _send_message,
    "sendRichMessage": _send_rich_message,
    "sendMessageDraft": _send_message_draft,
    "sendRichMessageDraft": _send_rich_message_draft,
    "sendChatAction": _send_chat_action,
    "editMessageText": _edit_message_text,
    "editMessageCaption": _edit_message_caption,
    "editMessageReplyMarkup": _edit_message_reply_markup,
    "deleteMessage": _delete_message,
    "deleteMessages": _delete_messages,
    "pinChatMessage": _pin_chat_message,
    "unpinChatMessage": _unpin_chat_message,
    "unpinAllChatMessages": _unpin_all_chat_messages,
    "setMessageReaction": _set_message_reaction,
}
"""By name."""
