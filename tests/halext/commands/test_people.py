from __future__ import annotations

from dataclasses import replace

import pytest

from halext.accounts.types import LOCAL
from halext.commands.load import load
from halext.commands.types import Speaker

from .conftest import Chat


def private(speaker: Speaker) -> Speaker:
    return replace(speaker, place="discord:dm:7", is_private=True)


async def code(chat: Chat) -> str:
    assert chat.mia.caller is not None
    return (await chat.app.links.code(chat.mia.caller)).text


async def test_a_stranger_shows_a_code_and_is_known(chat: Chat) -> None:
    reply = await chat.text(private(chat.stranger), f"link {await code(chat)}")
    assert reply.markdown == "Hello Mia, I know you here from now on. Just ask, or see `/help`."
    assert reply.is_quiet
    caller = await chat.app.links.caller_for(chat.stranger.account)
    assert caller is not None
    assert (caller.name, caller.credential) == ("Mia", "link")


async def test_a_code_that_others_could_read_is_void(chat: Chat) -> None:
    made = await code(chat)
    assert "is void" in await chat.refusal(chat.stranger, f"link {made}")
    assert await chat.app.links.caller_for(chat.stranger.account) is None
    assert "wrong, used or out of date" in await chat.refusal(private(chat.stranger), f"link {made}")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("link", "The code from your account's page is missing: /link CODE"),
        ("link 2222-2222", "wrong, used or out of date; get a new one"),
        ("link @everyone", "wrong, used or out of date"),
        ("link ABCD EFGH", "That is too much: /link CODE"),
    ],
)
async def test_what_is_no_code(chat: Chat, line: str, says: str) -> None:
    assert says in await chat.refusal(private(chat.stranger), line)


async def test_guessing_ends_with_a_time(chat: Chat) -> None:
    answers = [await chat.refusal(private(chat.stranger), "link 2222-2222") for _ in range(6)]
    assert answers[-1] == "Too many codes were wrong. Try again in 10 min."


async def test_unlink_ends_what_one_may_here(chat: Chat) -> None:
    assert "I don't know you here any more" in (await chat.text(chat.mia, "unlink")).markdown
    assert await chat.app.links.caller_for(chat.mia.account) is None
    assert await chat.app.links.caller_for(chat.ada.account) is not None
    assert "no such link" in await chat.refusal(chat.mia, "unlink")
    assert "not linked here" in await chat.refusal(replace(chat.mia, caller=LOCAL), "unlink")
    assert "I don't know you yet" in await chat.refusal(chat.stranger, "unlink")


@pytest.mark.parametrize(
    ("who", "shown", "hidden"),
    [
        ("stranger", {"/help", "/link CODE"}, {"/ask", "/node"}),
        ("mia", {"/ask QUESTION [model=…]", "/link CODE", "/task list"}, {"/node "}),
        ("ada", {"/ask QUESTION [model=…]", "/node drain NAME [for=…]"}, set()),
    ],
)
async def test_help_shows_what_one_may_say(chat: Chat, who: str, shown: set[str], hidden: set[str]) -> None:
    told = (await chat.text(getattr(chat, who), "help")).markdown
    assert all(f"- `{usage}` " in told for usage in shown)
    assert not any(f"- `{usage}" in told for usage in hidden)


async def test_help_shows_everything_to_administrators(chat: Chat) -> None:
    told = (await chat.text(chat.ada, "help")).markdown
    assert told.count("\n- ") == sum(command.is_listed for command in load().all())
