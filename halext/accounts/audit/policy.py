"""What may stand in the audit log, and how much of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from halext.accounts.audit.types import Detail
from halext.errors import InvalidInput

ACTION = re.compile(r"[a-z][a-z0-9-]{0,30}\.[a-z][a-z0-9-]{0,40}")
SUBJECT_MAX = 200
TEXT_MAX = 100
DETAILS_MAX = 12
ITEMS_MAX = 20
PAGE_MAX = 1000
"""Entries in one answer."""
SECRET_NAMES = re.compile(
    r"(?i)passw|passphrase|secret|token$|api_?key|authorization|cookie|master_?key|credential|headers?$|^value$|^code$|"
    r"signature|private"
)
"""Fields that are never written, whatever they hold."""
HIDDEN = "[hidden]"

Scrub = Callable[[str], str]
"""Takes out of a text what looks like a secret."""


def looks_secret(name: str) -> bool:
    """Whether a field of this name holds what nobody should read."""
    return SECRET_NAMES.search(name) is not None


def plain(text: str, most: int) -> str:
    """The text on one line, without codes that a terminal or a spreadsheet would obey, cut at `most` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(shown) <= most and len(text) <= most else shown[: most - 1] + "…"


def bounded(details: Mapping[str, Detail], scrub: Scrub) -> dict[str, Detail]:
    """The details as they are kept: few, short, and without what their names say is a secret."""
    kept: dict[str, Detail] = {}
    for name, value in list(details.items())[:DETAILS_MAX]:
        kept[name] = HIDDEN if looks_secret(name) else _bounded(value, scrub)
    return kept


def _bounded(value: Detail, scrub: Scrub) -> Detail:
    if isinstance(value, str):
        return plain(scrub(value), TEXT_MAX)
    if value is None or isinstance(value, bool | int | float):
        return value
    return [plain(scrub(item), TEXT_MAX) if isinstance(item, str) else item for item in value[:ITEMS_MAX]]


def check_limit(limit: int) -> None:
    """Raise `InvalidInput` for a page that is none."""
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidInput(f"`limit` is a number from 1 to {PAGE_MAX}.")
