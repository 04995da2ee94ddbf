"""Whom a message would ping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from halext.testing.discordapi.refusal import invalid

MENTION = re.compile(r"<@!?(\d+)>|<@&(\d+)>|(@everyone|@here)")
KINDS = ("users", "roles", "everyone")
MAX_NAMED = 100
"""Users or roles that may be named in `allowed_mentions`."""
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def check(allowed: Mapping[str, Any] | None) -> None:
    """Refuse an `allowed_mentions` that Discord would refuse."""
    if allowed is None:
        return
    parse = allowed.get("parse", [])
    for kind in parse:
        if kind not in KINDS:
            raise invalid("allowed_mentions.parse", f"Value must be one of {KINDS}.", "BASE_TYPE_CHOICES")
    for kind in ("users", "roles"):
        named = allowed.get(kind) or []
        if named and kind in parse:
            text = f"parse:[{kind!r}] and {kind}: [ids...] are mutually exclusive."
            raise invalid("allowed_mentions", text, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE")
        if len(named) > MAX_NAMED:
            raise invalid(f"allowed_mentions.{kind}", f"Must be {MAX_NAMED} or fewer in length.")


def pings(content: str, allowed: Mapping[str, Any] | None, *, replied_to: int = 0) -> frozenset[str]:
    """Whom this notifies: user ids, role ids with an `&` before them, "@everyone", "@here".

    Without `allowed_mentions` Discord pings everyone that is named, and whoever is answered. Nobody in code.
    """
    everybody: Mapping[str, Any] = {"parse": KINDS, "replied_user": True}
    rules = everybody if allowed is None else allowed
    pinged = set()
    for user, role, everyone in MENTION.findall(CODE.sub("", content)):
        kind = "users" if user else "roles" if role else "everyone"
        if kind in rules.get("parse", []) or (user or role) in {str(one) for one in rules.get(kind) or []}:
            pinged.add(user or (f"&{role}" if role else everyone))
    if replied_to and rules.get("replied_user"):
        pinged.add(str(replied_to))
    return frozenset(pinged)
