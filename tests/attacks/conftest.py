"""What attacks are made against: a server that nobody may be led to, and a whole halext behind its real door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.web.conftest import furniture, house, member, open_house, stranger

__all__ = ["furniture", "house", "member", "open_house", "stranger"]


@dataclass
class Sentinel:
    """A server on loopback that must never hear from halext; it counts connections and keeps their first bytes."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(b"")
        try:
            self.heard[-1] = await reader.read(4096)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def sentinel() -> AsyncIterator[Sentinel]:
    """A fresh one for each test."""
    made = Sentinel()
    server = await asyncio.start_server(made._hear, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
