from __future__ import annotations

import pytest

from halext.testing.botapi.links import checked_url, emoji_or_time, link
from halext.testing.botapi.text import ParseError


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://example.org/a?b#c", "https://example.org/a?b#c"),
        ("example.org", "http://example.org/"),
        ("http://localhost:8080", "http://localhost:8080/"),
        ("http://192.168.0.2:11434/x", "http://192.168.0.2:11434/x"),
        ("tg://settings", "tg://settings"),
        ("mailto:a@b.org", "mailto:a@b.org"),
        ("stop", None),
        ("", None),
        ("javascript:alert(1)", None),
        ("https://exa mple.org", None),
        ("http://example.org:port", None),
    ],
)
def test_addresses(url: str, checked: str | None) -> None:
    assert checked_url(url) == checked


def test_people_and_plain_text() -> None:
    assert link("tg://user?id=42") == {"type": "text_mention", "user": {"id": 42}}
    assert link(" example.org ") == {"type": "text_link", "url": "http://example.org/"}
    assert link("no address") is None


def test_emojis_and_times() -> None:
    assert emoji_or_time("tg://emoji?id=5") == {"type": "custom_emoji", "custom_emoji_id": "5"}
    moment = {"type": "date_time", "unix_time": 9, "date_time_format": "wD"}
    assert emoji_or_time("tg://time?unix=9&format=wD") == moment
    assert emoji_or_time("tg://time?unix=9") == {"type": "date_time", "unix_time": 9}


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, "Custom emoji entity must contain a tg://emoji URL"),
        ("https://example.org", "Custom emoji entity must contain a tg://emoji URL"),
        ("tg://emoji?id=x", "Invalid custom emoji identifier specified"),
        ("tg://time?unix=soon", "Invalid date specified"),
    ],
)
def test_neither_emoji_nor_time(url: str | None, error: str) -> None:
    with pytest.raises(ParseError, match=error):
        emoji_or_time(url)
