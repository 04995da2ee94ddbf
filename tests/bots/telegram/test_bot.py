"""The Telegram bot, as people see it: an unmodified library, a fake Telegram and a fake Ollama on real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from halext.testing.telegram import FakeTelegram
from halext_bots.telegram.service import TelegramService
from tests.bots.conftest import Furnish

FakeTelegrams = Callable[..., Awaitable[FakeTelegram]]


async def test_somebody_links_asks_and_sees_the_answer_grow(furnish: Furnish, fake_telegram: FakeTelegrams) -> None:
    telegram = await fake_telegram()
    house = await furnish(telegram_token=telegram.token, telegram_api_base=telegram.url)
    code = await house.code(await house.member())
    async with house.running(TelegramService()) as told:
        assert told == ["people write to @halext_bot"]
        ada = telegram.user("Ada")
        ada.say("hello")
        (stranger,) = await telegram.until(lambda: telegram.answers(ada.chat))
        assert "don't know you" in stranger.text
        ada.command("link", code)
        await telegram.until(lambda: "Hello Ada" in telegram.answers(ada.chat)[-1].text)
        ada.say("Why is the sky blue?")
        (answer,) = await telegram.until(lambda: [m for m in telegram.answers(ada.chat) if "Regenerate" in m.buttons])
        assert "llama3.2:3b on mac" in answer.text
        press = ada.press(answer, "Why")
        await telegram.until(lambda: press.answer)
        assert press.answer
        assert "chose mac" in press.answer["text"]
