"""What looks like a secret, and every secret that this process was given, taken out of texts."""

from __future__ import annotations

import re
from urllib.parse import quote

HIDDEN = "[hidden]"
KNOWN_MIN = 8
"""Characters. Hiding shorter ones would hide ordinary words with them, and tell what they are."""
KNOWN_MAX = 500
"""More secrets than any halext has; the oldest are forgotten first."""

_SECRETS = (
    # The value behind the name of a header, in a request's text, in a dictionary or in a list of pairs.
    re.compile(
        r"(?i)(?<![a-z-])(?:proxy-)?(?:authorization|x-api-key|api-key|set-cookie|cookie)['\"]?\s{0,3}[:=,]\s{0,3}b?"
        r"(?P<value>['\"][^'\"\r\n]{1,4000}|[^'\"\s,;)}\]]{1,4000}(?:[ ;,]{1,2}[^'\"\s,;)}\]]{4,4000})?)"
    ),
    re.compile(r"hx[a-z]?_[A-Za-z0-9_-]{8,}"),  # halext's own tokens, sessions and codes
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),  # JSON Web Tokens
    re.compile(r"sk-[A-Za-z0-9_-]{8,}"),  # what API keys of other services look like
    re.compile(r"\d{6,12}:[A-Za-z0-9_-]{30,}"),  # Telegram bot tokens, which stand in URLs
    re.compile(r"[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}"),  # Discord bot tokens
    re.compile(r"(?<=/webhooks/)\d{5,}/[A-Za-z0-9_-]{20,}"),  # Discord's webhooks: the path is the key
    re.compile(r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/_-]+"),
    re.compile(
        r"(?<=://)[^\s/@:\"'<>]{0,200}:[^\s\"'<>]{0,500}(?=@)"
    ),  # user:password in a URL, also with a / or @ in it
    re.compile(r"[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),  # Fernet keys
)
_known: dict[str, None] = {}


def remember(secret: str) -> None:
    """From now on this text is hidden wherever it comes up, also where it looks like nothing special."""
    for form in dict.fromkeys((secret, quote(secret, safe=""), repr(secret)[1:-1])):
        if len(form) >= KNOWN_MIN:
            _known.pop(form, None)
            _known[form] = None
    while len(_known) > KNOWN_MAX:
        del _known[next(iter(_known))]


def redact(text: str) -> str:
    """`text` without anything that looks like a secret or is known to be one."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    for pattern in _SECRETS:
        text = pattern.sub(_hide, text)
    return text


def one_line(text: str) -> str:
    """Text from outside can't start a line of its own, colour the terminal or turn the writing direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _hide(found: re.Match[str]) -> str:
    value = found.groupdict().get("value")
    return HIDDEN if value is None else found[0][: -len(value)] + HIDDEN
