"""What looks like a secret, taken out of texts. Pure but for the list of secrets that this process knows."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_SECRETS = (
    re.compile(r"hx[a-z]?_[A-Za-z0-9_-]{8,}"),  # halext's own tokens, sessions and codes
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"sk-[A-Za-z0-9_-]{8,}"),  # what API keys of other services look like
    re.compile(r"\d{6,12}:[A-Za-z0-9_-]{30,}"),  # Telegram bot tokens, which stand in URLs
    re.compile(r"[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}"),  # Discord bot tokens
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),  # Fernet keys
)


def redact(text: str) -> str:
    """`text` without anything that looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(HIDDEN, text)
    return text
