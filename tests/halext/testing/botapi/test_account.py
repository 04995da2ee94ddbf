from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.account import menu
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.fake import Refusal

Call = Callable[..., Any]


def command(name: str = "ask", description: str = "Ask") -> dict[str, str]:
    return {"command": name, "description": description}


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        ([command("Ask")], "BOT_COMMAND_INVALID"),
        ([command("x" * 33)], "BOT_COMMAND_INVALID"),
        ([command(description="")], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([command(description="x" * 257)], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([command(f"c{n}") for n in range(101)], "BOT_COMMANDS_TOO_MUCH"),
    ],
)
def test_menus_that_are_refused(call: Call, commands: list[dict[str, str]], error: str) -> None:
    with pytest.raises(Refusal, match=error):
        call("setMyCommands", commands=commands)


def test_menus_by_scope_and_language(call: Call, world: World, ada: Person) -> None:
    group = world.add_chat("supergroup", "Home", [ada.user])
    member = {"type": "chat_member", "chat_id": group.id, "user_id": ada.id}
    call("setMyCommands", commands=[command("/all")])
    call("setMyCommands", commands=[command("tous")], language_code="fr")
    call("setMyCommands", commands=[command("her")], scope=member)
    assert call("getMyCommands", scope=member) == [command("her")]
    assert menu(world, group, ada.user) == [command("her")]
    assert menu(world, ada.chat, ada.user) == [command("all")]
    ada.user.language = "fr"
    assert menu(world, ada.chat, ada.user) == [command("tous")]
    call("deleteMyCommands", scope=member)
    assert call("getMyCommands", scope=member) == []
    with pytest.raises(Refusal, match="Unsupported type"):
        call("getMyCommands", scope={"type": "everyone"})


def test_webhooks(call: Call, world: World, ada: Person) -> None:
    with pytest.raises(Refusal, match="HTTPS URL must be provided"):
        call("setWebhook", url="http://example.org/x")
    assert call("setWebhook", url="http://127.0.0.1:9/x", secret_token="s", allowed_updates=["message"])
    ada.say("x")
    info = call("getWebhookInfo")
    assert (info["url"], info["pending_update_count"]) == ("http://127.0.0.1:9/x", 2)
    world.updates.last_error = "Connection refused"
    assert call("getWebhookInfo")["last_error_message"] == "Connection refused"
    assert call("deleteWebhook", drop_pending_updates=True)
    assert (world.updates.webhook, world.updates.pending) == (None, 0)


def test_what_the_bot_is_told_about_itself_and_others(call: Call, world: World, ada: Person) -> None:
    world.reads_all = True
    assert call("getMe")["can_read_all_group_messages"] is True
    group = world.add_chat("supergroup", "Home", [ada.user])
    members = {number: call("getChatMember", chat_id=group.id, user_id=number) for number in (ada.id, world.bot.id)}
    assert [member["status"] for member in members.values()] == ["creator", "member"]
    assert call("getChatMember", chat_id=ada.id, user_id=ada.id)["status"] == "member"
    with pytest.raises(Refusal, match="user not found"):
        call("getChatMember", chat_id=group.id, user_id=5)
    assert "pinned_message" not in call("getChat", chat_id=group.id)


def test_topics_are_made_where_there_can_be_some(call: Call, world: World, ada: Person) -> None:
    with pytest.raises(Refusal, match="not a forum"):
        call("createForumTopic", chat_id=ada.id, name="x")
    world.has_private_topics = True
    made = call("createForumTopic", chat_id=ada.id, name="x")
    assert call("sendMessage", chat_id=ada.id, text="y", message_thread_id=made["message_thread_id"])
    for name, error in (("", "TOPIC_TITLE_EMPTY"), ("x" * 129, "TOPIC_TITLE_TOO_LONG")):
        with pytest.raises(Refusal, match=error):
            call("createForumTopic", chat_id=ada.id, name=name)
