"""The JSON of computers that dial in."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from halext.runtime.shapes import Params


class JoinNode(Params, frozen=True):
    """Let a computer dial in as a node."""

    name: str
    kinds: list[Literal["ollama", "openai"]] = field(default_factory=lambda: ["ollama"])
    """What runs on it, each at its usual port."""
    host: str | None = None
    """How that computer reaches this server; without it the host of HALEXT_PUBLIC_URL."""
    again: bool = False
    """For a computer that has lost its key: the old one is good for nothing from now on."""


class JoinLine(Struct, frozen=True):
    """What to paste on the computer, once."""

    name: str
    host: str
    port: int
    host_key: str
    """This server's public key, which the line pins."""
    expires_at: float
    """When the code in the lines stops working, if nobody used it; in seconds since the epoch."""
    unix: str
    """For macOS and Linux."""
    windows: str
    """For the Command Prompt of Windows."""
