"""People in chats with the bot. They can do what a person can do, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from halext.testing.botapi.account import menu
from halext.testing.botapi.files import described
from halext.testing.botapi.forms import Upload
from halext.testing.botapi.text import Entity, Text, check, cut, tidy
from halext.testing.botapi.world import (
    ANONYMOUS_ADMIN,
    CHANNEL_IN_GROUP,
    Chat,
    InlineQuery,
    Message,
    Press,
    User,
    World,
)

MAX_QUERY = 256
"""Characters of an inline query; Telegram cuts off the rest."""
VOICE_TYPE = "audio/ogg"
_numbers = itertools.count(4_000_000_000_000_001)


class Person:
    """Someone with a Telegram account. `chat` is the private chat with the bot."""

    def __init__(self, world: World, user: User) -> None:
        self.user = user
        self._world = world

    def __repr__(self) -> str:
        return f"Person({self.user.first_name!r}, {self.user.id})"

    @property
    def id(self) -> int:
        """Of the account, and of the private chat."""
        return self.user.id

    @property
    def chat(self) -> Chat:
        """The private chat with the bot."""
        return self._world.chats[self.user.id]

    def say(
        self,
        text: str = "",
        *,
        chat: Chat | None = None,
        reply_to: Message | None = None,
        topic: int = 0,
        photo: bytes | None = None,
        document: tuple[str, bytes] | None = None,
        voice: bytes | None = None,
        entities: list[Entity] | None = None,
        as_chat: Chat | None = None,
    ) -> Message:
        """Write a message, with at most one file whose caption the text is then.

        `as_chat` writes in the name of a group (as its anonymous admin) or of a channel.
        """
        place = self._place(chat)
        if topic and topic not in place.topics:
            raise ValueError(f"{place.title} has no topic {topic}")
        written = tidy(Text(text, check(text, entities or [])))
        content = self._content(written, photo, document, voice)
        return self._send(place, content, reply_to=reply_to, topic=topic, extra=_in_name_of(place, as_chat))

    def command(self, name: str, arguments: str = "", *, chat: Chat | None = None, topic: int = 0) -> Message:
        """Send a command. In groups it carries the bot's name, as it does when chosen from the menu."""
        to_bot = f"@{self._world.bot.username}" if self._place(chat).is_group else ""
        return self.say(f"/{name.removeprefix('/')}{to_bot} {arguments}".strip(), chat=chat, topic=topic)

    def menu(self, chat: Chat | None = None) -> list[str]:
        """The commands that Telegram offers here."""
        return [command["command"] for command in menu(self._world, self._place(chat), self.user)]

    def edit(self, message: Message, text: str) -> None:
        """Change the text or the caption of an own message."""
        self._check_own(message)
        written = tidy(Text(text))
        names = ("text", "entities") if "text" in message.content else ("caption", "caption_entities")
        content = {**message.content, names[0]: written.text, names[1]: list(written.entities)}
        self._world.revise(message, content, message.markup)
        self._tell("edited_channel_post" if message.chat.kind == "channel" else "edited_message", message)

    def delete(self, message: Message) -> None:
        """Remove an own message. Telegram tells bots nothing of it."""
        self._check_own(message)
        message.is_deleted = True
        self._world.changed()

    def press(self, message: Message, button: str) -> Press:
        """Press the inline button with this text. LookupError when the message doesn't show it."""
        found = self._button(message, button)
        if "callback_data" not in found:
            raise ValueError(f"{button!r} opens something on the person's own device; the bot doesn't hear of it")
        press = Press(str(next(_numbers)), message, str(found["callback_data"]), self._world.clock.monotonic())
        self._world.presses[press.id] = press
        inline_id = next((key for key, one in self._world.inline_messages.items() if one is message), None)
        shown = {"inline_message_id": inline_id} if inline_id else {"message": message.json()}
        self._push(
            "callback_query",
            {"id": press.id, "from": self.user.json(), "chat_instance": str(message.chat.id), "data": press.data}
            | shown,
        )
        return press

    def query(self, text: str) -> InlineQuery:
        """Type this behind the bot's name in any chat; the results appear on what is returned."""
        query = InlineQuery(str(next(_numbers)), self.user, text[:MAX_QUERY], self._world.clock.monotonic())
        self._world.inline_queries[query.id] = query
        self._push("inline_query", {"id": query.id, "from": self.user.json(), "query": query.text, "offset": ""})
        return query

    def choose(self, query: InlineQuery, number: int, *, chat: Chat | None = None) -> Message:
        """Send the result with this number, from 0, to a chat. LookupError when it isn't there."""
        result = (query.results or [])[number]
        extra = {"via_bot": self._world.bot.json()}
        message = self._send(self._place(chat), result["content"], markup=result["markup"], extra=extra)
        inline_id = f"inline-{next(_numbers)}" if result["markup"] else None
        if inline_id:
            self._world.inline_messages[inline_id] = message
        chosen = {"result_id": result["id"], "from": self.user.json(), "query": query.text}
        self._push("chosen_inline_result", chosen | ({"inline_message_id": inline_id} if inline_id else {}))
        return message

    def forward(self, message: Message, *, chat: Chat | None = None) -> Message:
        """Send on a message that someone wrote."""
        origin: dict[str, Any] = {"date": int(message.date), "type": "user", "sender_user": dict(message.sender or {})}
        if "sender_chat" in message.extra:
            kind = {"type": "channel", "message_id": message.id, "chat": message.extra["sender_chat"]}
            group = {"type": "chat", "sender_chat": message.extra["sender_chat"]}
            origin = {"date": int(message.date)} | (kind if message.chat.kind == "channel" else group)
        return self._send(self._place(chat), message.content, extra={"forward_origin": origin})

    def react(self, message: Message, emoji: str) -> None:
        """Put an emoji under a message; an empty one takes it back."""
        old = message.reactions.pop(self.id, "")
        if emoji:
            message.reactions[self.id] = emoji
        reactions = {"old_reaction": old, "new_reaction": emoji}
        shown = {name: [{"type": "emoji", "emoji": one}] if one else [] for name, one in reactions.items()}
        where = {"chat": message.chat.json(), "message_id": message.id, "date": int(self._world.date())}
        self._push("message_reaction", {**where, "user": self.user.json(), **shown})

    def block(self) -> None:
        """Stop the bot: it can't write here any more."""
        self._set_blocked(blocked=True)

    def unblock(self) -> None:
        """Let the bot write again."""
        self._set_blocked(blocked=False)

    def kick_bot(self, chat: Chat) -> None:
        """Remove the bot from a group."""
        self._place(chat).is_bot_kicked = True
        self._tell_membership(chat, "member", "kicked")

    def _set_blocked(self, *, blocked: bool) -> None:
        self.user.has_blocked = blocked
        self._tell_membership(self.chat, *(("member", "kicked") if blocked else ("kicked", "member")))

    def _tell_membership(self, chat: Chat, old: str, new: str) -> None:
        bot = self._world.bot.json()
        until = {"until_date": 0}
        members = [{"user": bot, "status": status} | (until if status == "kicked" else {}) for status in (old, new)]
        about = {"chat": chat.json(), "from": self.user.json(), "date": int(self._world.date())}
        self._push("my_chat_member", {**about, "old_chat_member": members[0], "new_chat_member": members[1]})

    def _place(self, chat: Chat | None) -> Chat:
        place = chat or self.chat
        if self.user not in place.people:
            raise ValueError(f"{self.user.first_name} is not in {place.title}")
        return place

    def _check_own(self, message: Message) -> None:
        if (message.sender or {}).get("id") != self.id and message.extra.get("author_id") != self.id:
            raise ValueError("people can change only what they wrote themselves")

    def _content(
        self, text: Text, photo: bytes | None, document: tuple[str, bytes] | None, voice: bytes | None
    ) -> dict[str, Any]:
        uploads = {
            "photo": photo and Upload("photo.png", photo, "image/png"),
            "document": document and Upload(document[0], document[1]),
            "voice": voice and Upload("voice.ogg", voice, VOICE_TYPE),
        }
        files = {kind: upload for kind, upload in uploads.items() if upload}
        if len(files) > 1 or not (files or text.text):
            raise ValueError("a message holds a text, or one file with or without a caption")
        marks = list(text.entities)
        if not files:
            return {"text": text.text, "entities": marks}
        [(kind, upload)] = files.items()
        shown = described(self._world.keep(upload, kind), kind)
        return {kind: shown, "caption": text.text, "caption_entities": marks}

    def _send(
        self,
        place: Chat,
        content: Mapping[str, Any],
        *,
        markup: Mapping[str, Any] | None = None,
        reply_to: Message | None = None,
        topic: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> Message:
        sender: Mapping[str, Any] | None = self.user.json()
        extra = dict(extra or {})
        if place.kind == "channel":
            sender, extra["sender_chat"] = None, place.json()
        elif "sender_chat" in extra:
            sender = ANONYMOUS_ADMIN if extra["sender_chat"]["id"] == place.id else CHANNEL_IN_GROUP
        if place.kind == "private":
            self.user.has_started, self.user.has_blocked = True, False
        message = self._world.add_message(
            place, sender, content, markup=markup, topic=topic, reply_to=reply_to, extra=extra
        )
        self._tell("channel_post" if place.kind == "channel" else "message", message)
        return message

    def _tell(self, kind: str, message: Message) -> None:
        if self._concerns_bot(message):
            self._push(kind, message.json())

    def _concerns_bot(self, message: Message) -> bool:
        """What a bot gets to see of a group: commands, mentions and replies to it, unless it may read everything."""
        world, chat = self._world, message.chat
        if chat.is_bot_kicked:
            return False
        if world.reads_all or chat.kind in {"private", "channel"}:
            return True
        answered = message.reply_to.sender if message.reply_to else None
        if (answered or {}).get("id") == world.bot.id:
            return True
        name = f"@{world.bot.username}".lower()
        pieces = [(mark["type"], cut(message.text, mark).lower()) for mark in message.entities]
        is_command = any(kind == "bot_command" and ("@" not in piece or piece.endswith(name)) for kind, piece in pieces)
        return is_command or ("mention", name) in pieces

    def _push(self, kind: str, body: dict[str, Any]) -> None:
        self._world.updates.push(kind, body)
        self._world.changed()

    def _button(self, message: Message, text: str) -> Mapping[str, Any]:
        if message.is_deleted:
            raise LookupError("the message is gone")
        self._place(message.chat)
        for row in (message.markup or {}).get("inline_keyboard", []):
            for button in row:
                if button["text"] == text:
                    return dict(button)
        raise LookupError(f"there is no button {text!r} under this message, only {message.buttons}")


def _in_name_of(place: Chat, chat: Chat | None) -> dict[str, Any]:
    if chat is None:
        return {}
    if chat is not place and chat.kind != "channel":
        raise ValueError("people can write in the name of the group itself or of a channel")
    return {"sender_chat": chat.json()}
