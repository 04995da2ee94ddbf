from __future__ import annotations

from halext.accounts.quotas.types import Measure
from halext.accounts.types import LOCAL
from halext.runtime.shapes_quotas import SetQuota
from halext.runtime.verbs.quotas import set_quota
from halext.testing.ollama import FakeOllama

from .conftest import Chat


async def test_usage_says_what_was_used_today_and_what_is_left(chat: Chat, mac: FakeOllama) -> None:
    assert (await chat.text(chat.mia, "usage")).markdown == (
        "You have used nothing today.\n\nThere is no limit to what you may use."
    )
    limits = SetQuota(kind="user", subject="Mia", requests_per_minute=60, tokens_per_day=1_000)
    await set_quota(chat.app, LOCAL, limits)
    await chat.ended(chat.mia, "ask Why?")
    told = await chat.text(chat.mia, "usage")
    assert told.is_quiet
    today, left = told.markdown.replace("\\", "").split("What is left:")
    assert "`llama3.2:3b` 1 times, " in today
    assert "of 1,000 tokens a day, new ones in " in left
    assert "of 60 requests a minute, new ones in " in left
    assert "images" not in left
    assert chat.mia.caller is not None
    standing = await chat.app.quotas.standing(chat.mia.caller)
    (tokens,) = [line for line in standing if line.measure is Measure.TOKENS]
    assert tokens.count.used > 0
    assert tokens.count.held == 0


async def test_a_question_beyond_the_quota_is_refused_in_words(chat: Chat, mac: FakeOllama) -> None:
    await set_quota(chat.app, LOCAL, SetQuota(kind="user", subject="Mia", tokens_per_day=0))
    turn = await chat.ended(chat.mia, "ask Why?")
    assert turn.outcome.error == "Your quota allows no tokens."
    assert turn.outcome.node == ""


async def test_quota_is_for_administrators(chat: Chat) -> None:
    assert await chat.refusal(chat.mia, "quota") == "/quota is for administrators."
    everyone = (await chat.text(chat.ada, "quota")).markdown.replace("\\", "")
    assert "- `role guest` 10 requests a minute, 50,000 tokens a day, 5 images a day, 600 GPU seconds a day" in everyone
    assert "- `role member` no limit" in everyone
    assert (await chat.text(chat.ada, "quota Mia")).markdown.startswith("- `Mia` no limit\n")
    assert "no user of this name" in await chat.refusal(chat.ada, "quota name=nobody")
