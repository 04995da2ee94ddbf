"""What the address of a link makes of it: a link, a person, an emoji, a time; or nothing at all."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from halext.testing.botapi.text import Entity, ParseError

SCHEMES = frozenset({"http", "https", "ftp", "tg", "ton", "tonsite", "mailto", "tel"})


def link(url: str) -> Entity | None:
    """The entity for this address, None for one that Telegram takes for no address and so shows as plain text."""
    url = url.strip()
    person = re.fullmatch(r"tg:(?://)?user\?id=(\d+)", url, re.ASCII)
    if person:
        return {"type": "text_mention", "user": {"id": int(person[1])}}
    checked = checked_url(url)
    return {"type": "text_link", "url": checked} if checked else None


def checked_url(url: str) -> str | None:
    """The address as Telegram writes it, None when it takes it for none."""
    full = url if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url) and not re.match(r"[\w.-]+:\d", url) else f"http://{url}"
    try:
        parts = urlsplit(full)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or re.search(r"\s", full):
        return None
    if parts.scheme not in {"http", "https", "ftp"}:
        return full
    if host != "localhost" and not re.fullmatch(r"(?:[^\W_](?:[\w-]*\w)?\.)+[\w-]+|\[[0-9a-f:]+\]|[0-9a-f:]+", host):
        return None
    return full if parts.path or parts.query or parts.fragment else f"{full}/"


def emoji_or_time(url: str | None) -> Entity:
    """The entity of `![…](…)`; ParseError for an address that is neither an emoji's nor a time's."""
    parts = urlsplit(url or "")
    values = {name: found[0] for name, found in parse_qs(parts.query).items()}
    if parts.scheme == "tg" and parts.netloc == "emoji":
        return emoji(values.get("id", ""))
    if parts.scheme == "tg" and parts.netloc == "time":
        return moment(values.get("unix", ""), values.get("format", ""))
    raise ParseError("Custom emoji entity must contain a tg://emoji URL")


def emoji(number: str) -> Entity:
    """A custom emoji; ParseError when its number is none."""
    if not re.fullmatch(r"-?\d+", number, re.ASCII) or int(number) == 0:
        raise ParseError("Invalid custom emoji identifier specified")
    return {"type": "custom_emoji", "custom_emoji_id": number}


def moment(unix: str, form: str) -> Entity:
    """A point in time that every reader sees in his own time zone; ParseError when it is none."""
    if not re.fullmatch(r"\d+", unix, re.ASCII):
        raise ParseError("Invalid date specified")
    return {"type": "date_time", "unix_time": int(unix)} | ({"date_time_format": form} if form else {})
