from __future__ import annotations

import datetime as dt
import warnings

import pytest
from telegram import error

from halext.errors import HalextError, KeyRefused, RateLimited, RequestRefused, Unreachable
from halext_bots.telegram.failures import hush, seconds, translated

hush()


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (error.InvalidToken("The token `1:secret` was rejected"), KeyRefused, "refuses the bot's token"),
        (error.EndPointNotFound("Endpoint 'getupdates' not found"), KeyRefused, "refuses the bot's token"),
        (error.Conflict("terminated by other getUpdates"), Unreachable, "Another program"),
        (error.TimedOut(), Unreachable, "can't be reached"),
        (error.NetworkError("http://x/bot1:secret/getMe"), Unreachable, "can't be reached"),
        (error.BadRequest("Chat not found"), RequestRefused, "Chat not found"),
        (error.Forbidden("bot was blocked"), RequestRefused, "blocked"),
        (error.ChatMigrated(5), Unreachable, "ChatMigrated"),
        (error.PassportDecryptionError("x"), Unreachable, "PassportDecryptionError"),
    ],
)
def test_each_failure_is_one_of_ours(failure: error.TelegramError, kind: type[HalextError], says: str) -> None:
    ours = translated(failure)
    assert type(ours) is kind
    assert says in ours.message
    assert "secret" not in ours.message


def test_a_pause_has_its_length_and_no_warning_is_shown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hush()
        for wait in (3, dt.timedelta(seconds=3)):
            pause = translated(error.RetryAfter(wait))
            assert isinstance(pause, RateLimited)
            assert pause.retry_after_s == seconds(error.RetryAfter(wait)) == 3.0
