"""The small nouns that every other file uses."""

from __future__ import annotations

from typing import Literal, NewType, Protocol

NodeName = NewType("NodeName", str)
"""What the owner calls a machine: lower-case letters, digits, `-`, `_` and `.`; at most 63 characters."""
EndpointId = NewType("EndpointId", str)
"""One server on a node, such as `mac` or `mac/openai-2`: begins with the node's name, and never changes."""
ModelName = NewType("ModelName", str)
"""A model's exact name with its tag, such as `llama3.2:3b`."""
UserId = NewType("UserId", int)
RequestId = NewType("RequestId", str)
"""Names one request from the door to the last token; sent to the client as `X-Halext-Request`."""
WorkspaceId = NewType("WorkspaceId", int)
"""Names a group of people who share conversations, tasks and a quota."""
SecretRef = NewType("SecretRef", str)
"""The name of a secret in the vault; never the secret."""

Kind = Literal["ollama", "openai", "automatic1111", "halext", "webhook"]
"""The protocol that an endpoint speaks. `halext` is another coordinator; `webhook` takes alerts, and no node is one. At
run time it may also be the name of a kind that another package brings along; those are cast to it where they come in,
in `halext.upstreams.kinds`."""
Capability = Literal["chat", "embed", "vision", "tools", "thinking", "insert", "image"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Clock(Protocol):
    """Where time comes from: the one thing that a test replaces to make time pass."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Let that much of this clock's time pass."""
