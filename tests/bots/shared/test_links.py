"""A link says where it leads, or is no link."""

from __future__ import annotations

import pytest

from halext_bots.shared.links import URL_MAX, is_deceptive, target


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("https://a.example/b?c=d#e", "https://a.example/b?c=d#e"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("https://a.example/) x>", "https://a.example/%29%20x%3E"),
        ("https://a.example/*_~|`", "https://a.example/%2A_%7E%7C%60"),
        ("javascript:alert(1)", None),
        ("tg://user?id=1", None),
        ("https:", None),
        ("/etc", None),
        ("http://[", None),
        ("https://a.example/" + "x" * URL_MAX, None),
        ("https://a.example/" + "*" * (URL_MAX // 2), None),
    ],
)
def test_where_it_leads(href: str, url: str | None) -> None:
    assert target(href) == url


@pytest.mark.parametrize(
    ("shown", "url", "is_it"),
    [
        ("here", "https://a.example", False),
        ("https://a.example/", "https://a.example", False),
        ("a.example", "https://a.example", False),
        ("a@b.example", "mailto:a@b.example", False),
        ("https://bank.example", "https://evil.example", True),
        ("see bank.example", "https://evil.example", True),
        ("bank\u200b.example", "https://evil.example", True),
        ("bank．example", "https://evil.example", True),
        ("here", "https://bank.example@evil.example", True),
    ],
)
def test_what_deceives(shown: str, url: str, is_it: bool) -> None:
    assert is_deceptive(shown, url) is is_it
