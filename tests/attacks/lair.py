"""Nodes that attack: a server that looks like an Ollama until it is asked to work, and the house it is a node of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from halext.accounts.types import LOCAL
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from tests.access.house import House, opened
from tests.access.rights import ROLES, Subject

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
MIA = Subject("Mia", "bearer", ROLES["member"])
ADA = Subject("Ada", "cookie", ROLES["admin"])
EVIL = "evil:1b"


def says(*parts: bytes) -> Script:
    """A node that answers with these bytes and closes."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))

    return script


@dataclass
class Lair:
    """The node. `script` answers what makes a model work; lists are honest, unless `lists` is another script."""

    script: Script
    models: Sequence[str] = (EVIL,)
    lists: Script | None = None
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of everything that came, as they stood on the line."""
        lines = [head.split(b"\r\n", 1)[0].decode("latin-1") for head in self.heads]
        return [(line.split(" ")[0], line.split(" ", 1)[1].removesuffix(" HTTP/1.1")) for line in lines]

    @property
    def worked(self) -> list[tuple[str, str]]:
        """Of these, what was to make a model work."""
        return [asked for asked in self.asked if asked[0] == "POST"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            listed = self._listed(head)
            if listed is None:
                await self.script(writer)
            elif self.lists is not None:
                await self.lists(writer)
            else:
                body = json.dumps(listed).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    def _listed(self, head: bytes) -> object:
        rows = [{"name": name, "model": name, "digest": f"{n:064x}", "size": 1} for n, name in enumerate(self.models)]
        abilities = [row | {"capabilities": ["completion", "embedding"]} for row in rows]
        known = {
            b"/api/version": {"version": "0.33.0"},
            b"/api/tags": {"models": abilities},
            b"/api/ps": {"models": []},
        }
        return known.get(head.split(b" ")[1])


@asynccontextmanager
async def lair(script: Script, models: Sequence[str] = (EVIL,), lists: Script | None = None) -> AsyncIterator[Lair]:
    """A node on loopback until the block ends."""
    made = Lair(script, models, lists)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=2**20)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


@asynccontextmanager
async def housed(folder: Path, *nodes: Lair) -> AsyncIterator[House]:
    """A whole halext with honest nodes and these."""
    async with opened(f"sqlite:///{folder / 'halext.db'}", folder) as house:
        for number, each in enumerate(nodes):
            await add_node(house.app, LOCAL, AddNode(name=f"evil-{number}", urls=[each.url], kind="ollama"))
        yield house
