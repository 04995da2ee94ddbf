"""Who gets in, and what they may ask for."""

from __future__ import annotations

import hashlib
import re

from halext.tunnel.types import Claim, Invited, Member
from halext.types import NodeName

CODE_LIFETIME_S = 15 * 60.0
"""Long enough to walk to the other computer; a code that nobody used is worth nothing after it."""
CODE_BYTES = 16
"""128 random bits: not to be guessed within the lifetime of anything."""
FORWARD_HOST = "127.0.0.1"
PORTS = frozenset({11434, 8080, 7860, 8188})
"""Ollama, llama.cpp and others, AUTOMATIC1111, ComfyUI: what a home computer may offer."""
INVITATION = "join-"
"""An ssh user name that begins so shows a code; no node is called like that."""

_CODE = re.compile(rf"[0-9a-f]{{{2 * CODE_BYTES}}}")
_NODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def claim(user: str) -> Claim | None:
    """Who an ssh user name says that it is; None for a name that nobody has."""
    if user.startswith(INVITATION):
        code = user.removeprefix(INVITATION)
        return Invited(digest(code)) if _CODE.fullmatch(code) else None
    return Member(NodeName(user)) if _NODE.fullmatch(user) else None


def digest(code: str) -> str:
    """What is kept of a code. With 128 random bits, salt and slowness would add nothing."""
    return hashlib.sha256(code.encode()).hexdigest()


def may_forward(host: str, port: int) -> bool:
    """Whether a computer may offer this. Nothing is opened here: the pair only names what it lets us reach there."""
    return host == FORWARD_HOST and port in PORTS
