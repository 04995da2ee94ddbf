"""The methods about the bot itself, its menus and its chats."""

from __future__ import annotations

import re
from typing import Any

from halext.testing.botapi.compose import Method, writable
from halext.testing.botapi.forms import Form, bad
from halext.testing.botapi.updates import Webhook
from halext.testing.botapi.webhook import problem
from halext.testing.botapi.world import Chat, User, World

MAX_COMMANDS = 100
MAX_DESCRIPTION = 256
MAX_TOPIC = 128
SCOPES = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators")
CHAT_SCOPES = ("chat", "chat_administrators", "chat_member")

GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
"""What a chat may accept; libraries insist on hearing about each."""


def _get_me(world: World, form: Form) -> dict[str, Any]:  # noqa: ARG001 - every method has both
    return {
        **world.bot.json(),
        "can_join_groups": True,
        "can_read_all_group_messages": world.reads_all,
        "supports_inline_queries": True,
        "has_topics_enabled": world.has_private_topics,
    }


def _set_webhook(world: World, form: Form) -> bool:
    webhook = Webhook(form.text("url"), form.text("secret_token"))
    why_not = problem(webhook) if webhook.url else ""
    if why_not:
        raise bad(why_not)
    world.updates.allow(form.nested("allowed_updates"))
    return _change_webhook(world, form, webhook if webhook.url else None)


def _delete_webhook(world: World, form: Form) -> bool:
    return _change_webhook(world, form, None)


def _change_webhook(world: World, form: Form, webhook: Webhook | None) -> bool:
    if form.truth("drop_pending_updates"):
        world.updates.drop()
    world.updates.set_webhook(webhook)
    return True


def _get_webhook_info(world: World, form: Form) -> dict[str, Any]:  # noqa: ARG001
    updates = world.updates
    info = {
        "url": updates.webhook.url if updates.webhook else "",
        "has_custom_certificate": False,
        "pending_update_count": updates.pending,
    }
    if updates.last_error:
        info |= {"last_error_date": int(world.date()), "last_error_message": updates.last_error}
    return info


def _scope(form: Form) -> tuple[str, str]:
    """Whom a menu is for, and in which language."""
    scope = form.mapping("scope") or {"type": "default"}
    kind = scope.get("type")
    if kind not in SCOPES + CHAT_SCOPES:
        raise bad("can't parse BotCommandScope: Unsupported type specified")
    key = ":".join(str(scope.get(name, "")) for name in ("type", "chat_id", "user_id")).rstrip(":")
    return key, form.text("language_code")


def _set_my_commands(world: World, form: Form) -> bool:
    commands = form.items("commands")
    if len(commands) > MAX_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command", "")).removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= MAX_DESCRIPTION:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands[_scope(form)] = [
        {"command": command["command"].removeprefix("/"), "description": command["description"]} for command in commands
    ]
    world.changed()
    return True


def _get_my_commands(world: World, form: Form) -> list[dict[str, str]]:
    return world.commands.get(_scope(form), [])


def _delete_my_commands(world: World, form: Form) -> bool:
    world.commands.pop(_scope(form), None)
    world.changed()
    return True


def menu(world: World, chat: Chat, user: User) -> list[dict[str, str]]:
    """The commands that Telegram offers someone in a chat: those of the closest scope that has any."""
    is_private = chat.kind == "private"
    scopes = [
        *([] if is_private else [f"chat_member:{chat.id}:{user.id}"]),
        f"chat:{chat.id}",
        "all_private_chats" if is_private else "all_group_chats",
        "default",
    ]
    keys = [(scope, language) for scope in scopes for language in (user.language, "")]
    return next((world.commands[key] for key in keys if world.commands.get(key)), [])


def _get_chat(world: World, form: Form) -> dict[str, Any]:
    chat = world.chat(form.number("chat_id"))
    pinned = chat.messages[chat.pinned[-1]].json() if chat.pinned else None
    details = {"accent_color_id": 0, "max_reaction_count": 1, "accepted_gift_types": dict.fromkeys(GIFTS, False)}
    return {**chat.json(), **details, **({"pinned_message": pinned} if pinned else {})}


def _get_chat_member(world: World, form: Form) -> dict[str, Any]:
    chat = writable(world, form)
    user = world.users.get(form.number("user_id"))
    if form.number("user_id") == world.bot.id:
        return {"status": "member", "user": world.bot.json()}
    if user is None or user not in chat.people:
        raise bad("user not found")
    if chat.people.index(user) == 0 and chat.is_group:
        return {"status": "creator", "user": user.json(), "is_anonymous": False}
    return {"status": "member", "user": user.json()}


def _create_forum_topic(world: World, form: Form) -> dict[str, Any]:
    chat = writable(world, form)
    if not chat.is_forum and not (chat.kind == "private" and world.has_private_topics):
        raise bad("the chat is not a forum")
    name = form.text("name")
    if not 1 <= len(name) <= MAX_TOPIC:
        raise bad("TOPIC_TITLE_EMPTY" if not name else "TOPIC_TITLE_TOO_LONG")
    return {"message_thread_id": world.add_topic(chat, name), "name": name, "icon_color": 0x6FB9F0}


METHODS: dict[str, Method] = {
    "getMe": _get_me,
    "setWebhook": _set_webhook,
    "deleteWebhook": _delete_webhook,
    "getWebhookInfo": _get_webhook_info,
    "setMyCommands": _set_my_commands,
    "getMyCommands": _get_my_commands,
    "deleteMyCommands": _delete_my_commands,
    "getChat": _get_chat,
    "getChatMember": _get_chat_member,
    "createForumTopic": _create_forum_topic,
}
"""By name."""
