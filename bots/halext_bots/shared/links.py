"""Where a link leads, and whether its words say so."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

URL_MAX = 600
"""Characters of an address behind words. A longer one is text, so that it can be cut."""
SCHEMES = frozenset({"http", "https", "mailto"})

_ENCODED = {code: f"%{code:02X}" for code in (*range(33), *b'"<>\\^`{|}*~()', 127)}
_ADDRESS = re.compile(r"\w+://|www\.|[\w-]+(\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)


def target(href: str) -> str | None:
    """The address in a form that no markup can break out of; None for one that is not offered as a link."""
    if len(href) > URL_MAX:
        return None
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "mailto"):
        return None
    made = href.translate(_ENCODED)
    return made if len(made) <= URL_MAX else None


def is_deceptive(shown: str, url: str) -> bool:
    """Whether the words look like an address other than the one they lead to, or the address like another one."""
    seen = "".join(char for char in unicodedata.normalize("NFKC", shown) if unicodedata.category(char) != "Cf").strip()
    if _bare(seen) == _bare(url):
        return False
    return bool(_ADDRESS.search(seen)) or "@" in urlsplit(url).netloc


def _bare(address: str) -> str:
    return address.removeprefix("mailto:").removeprefix("https://").removesuffix("/")
