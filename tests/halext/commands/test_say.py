from __future__ import annotations

from dataclasses import replace

import pytest

from halext.accounts.types import Permission
from halext.commands.registry import Registry
from halext.commands.say import STRANGER, Talk, failure, how_to_link
from halext.commands.types import File, Option, Reply, Said, Text
from halext.errors import AllBusy, HalextError, Internal, NotFound, UnknownNode
from halext.runtime.app import App
from halext.runtime.settings import Settings

from .conftest import Chat

SAID: list[Said] = []
TABLE = Registry()


@TABLE.command("open", Option("text", "Text", is_rest=True), permission=Permission.PUBLIC)
async def open_(app: App, said: Said) -> Reply:
    """For everyone."""
    SAID.append(said)
    return Text("open")


@TABLE.command("use", Option("text", "Text", required=True, is_rest=True), Option("how", "How", choices=("a", "b")))
async def use(app: App, said: Said) -> Reply:
    """For people."""
    SAID.append(said)
    return Text("used")


@TABLE.command("rule", permission=Permission.MANAGE_NODES)
async def rule(app: App, said: Said) -> Reply:
    """For administrators."""
    SAID.append(said)
    return Text("ruled")


@TABLE.command("fail")
async def fail(app: App, said: Said) -> Reply:
    """Fail as one fails."""
    raise NotFound("There is no *node* called @everyone.")


@TABLE.command("crash")
async def crash(app: App, said: Said) -> Reply:
    """Fail as nobody should."""
    raise ZeroDivisionError("secret detail")


@pytest.fixture
def talk(app: App) -> Talk:
    SAID.clear()
    return Talk(app, TABLE)


async def text(talk: Talk, speaker: object, line: str) -> Text:
    reply = await talk.line(speaker, line)  # type: ignore[arg-type]  # a speaker of the conftest
    assert isinstance(reply, Text)
    return reply


@pytest.mark.parametrize(
    ("who", "allowed"),
    [("stranger", {"open"}), ("mia", {"open", "use x"}), ("ada", {"open", "use x", "rule"})],
)
async def test_who_may_say_what(chat: Chat, talk: Talk, who: str, allowed: set[str]) -> None:
    speaker = getattr(chat, who)
    done = {line for line in ("open", "use x", "rule") if not (await text(talk, speaker, line)).is_error}
    assert done == allowed
    assert len(SAID) == len(allowed)  # what is not allowed was not even begun


async def test_who_is_refused_is_told_why(chat: Chat, talk: Talk) -> None:
    stranger, member = await text(talk, chat.stranger, "use x"), await text(talk, chat.mia, "rule")
    assert "send me `/link CODE` in a direct message" in stranger.markdown
    alone = await text(talk, replace(chat.stranger, is_private=True), "use x")
    assert "send it here as `/link CODE`" in alone.markdown
    assert member.markdown == "/rule is for administrators."
    assert stranger.is_error
    assert stranger.is_quiet
    assert member.is_quiet


async def test_commands_run_in_the_speakers_name(chat: Chat, talk: Talk) -> None:
    files = (File("a.txt", b"x"),)
    await talk.line(chat.mia, "use how=a some  words", files)
    await talk.line(chat.stranger, "open")
    known, unknown = SAID
    assert (known.caller, known.speaker, known.files) == (chat.mia.caller, chat.mia, files)
    assert known.values == {"text": "some  words", "how": "a"}
    assert (unknown.caller, unknown.speaker.caller, unknown.get("text")) == (STRANGER, None, "")
    assert STRANGER.user_id is None


async def test_a_form_is_looked_over_like_a_line(chat: Chat, talk: Talk) -> None:
    command = TABLE.get("use")
    wrong = await talk.run(chat.mia, command, {"text": "x", "how": "c"})
    assert isinstance(wrong, Text)
    assert wrong.is_error
    right = await talk.run(chat.mia, command, {"text": "x", "how": ""})
    assert right == Text("used")
    assert await talk.run(chat.mia, command, {}, [File("a.txt", b"x")]) == Text("used")
    missing = await talk.run(chat.mia, command, {})
    assert isinstance(missing, Text)
    assert "is missing" in missing.markdown


@pytest.mark.parametrize("line", ["", "   ", "use", "us x", "use how=c x", "x" * 9000, "\0", "[a](b)"])
async def test_what_can_not_be_read_is_an_answer(chat: Chat, talk: Talk, line: str) -> None:
    reply = await text(talk, chat.mia, line)
    assert reply.is_error
    assert reply.is_quiet
    assert 0 < len(reply.markdown) < 300


async def test_failures_are_answers_without_markup(chat: Chat, talk: Talk) -> None:
    reply = await text(talk, chat.mia, "fail")
    assert reply.is_error
    assert reply.markdown == "There is no \\*node\\* called \\@everyone\\."


async def test_a_bug_ends_nothing_and_tells_nothing(chat: Chat, talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    reply = await text(talk, chat.mia, "crash")
    assert reply == failure(Internal())
    assert "secret" not in reply.markdown
    assert "the command /crash failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("wait_s", "says"),
    [
        (None, ""),
        (0.2, "Try again in 1 s."),
        (12.3, "Try again in 13 s."),
        (59.5, "Try again in 1 min."),
        (600.0, "Try again in 10 min."),
    ],
)
def test_a_failure_says_when_to_try_again(wait_s: float | None, says: str) -> None:
    reply = failure(AllBusy("All are busy.", retry_after_s=wait_s))
    assert reply.markdown.replace("\\", "") == f"All are busy. {says}".strip()


@pytest.mark.parametrize("error", [UnknownNode(), HalextError(), NotFound("x")])
def test_every_failure_is_quiet_and_marked(error: HalextError) -> None:
    reply = failure(error)
    assert (reply.is_error, reply.is_quiet, reply.buttons) == (True, True, ())


@pytest.mark.parametrize(
    ("public_url", "base_url", "says"),
    [
        ("https://ai.example.org/", "http://127.0.0.1:8484", "page at https\\://ai\\.example\\.org/account, and"),
        (None, "http://127.0.0.1:8484", "page at http\\://127\\.0\\.0\\.1\\:8484/account, and"),
        (None, "", "Get a code on your account's page, and"),
    ],
)
async def test_strangers_are_told_where_to_get_a_code(
    app: App, public_url: str | None, base_url: str, says: str
) -> None:
    changed = Settings(data_dir=app.settings.data_dir, public_url=public_url)
    assert says in how_to_link(replace(app, settings=changed, base_url=base_url))
