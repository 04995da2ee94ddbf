"""The gateway: the WebSocket on which a bot hears of everything, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from halext.testing.discordapi.world import World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, MEMBERS, INVALID, HELLO, ACK = (
    *(0, 1, 2, 3, 4),
    *(6, 7, 8, 9, 10, 11),
)
HEARTBEAT_MS = 41_250
SENDS = 120
"""Messages that a client may send in `SENDS_S` seconds."""
SENDS_S = 60.0
MESSAGE_CONTENT, GUILD_MEMBERS, GUILD_PRESENCES = 1 << 15, 1 << 1, 1 << 8
PORTAL_FLAGS = {GUILD_PRESENCES: 1 << 13, GUILD_MEMBERS: 1 << 15, MESSAGE_CONTENT: 1 << 19}
GUILDS = 1 << 0
INTENTS = {
    "MESSAGE_REACTION": (1 << 10, 1 << 13),
    "MESSAGE": (1 << 9, 1 << 12),
    "TYPING": (1 << 11, 1 << 14),
    "INTERACTION": (0, 0),
    "GUILD": (GUILDS, 0),
    "CHANNEL": (GUILDS, GUILDS),
    "THREAD": (GUILDS, 0),
}
"""By how an event's name begins: the intent it takes in a guild, and in a DM. 0 takes none."""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection: with a code, or without a word."""

    code: int
    reason: str = ""


CUT = Close(0)
Frame = str | Close


@dataclass(eq=False, slots=True)
class Session:
    """What Discord remembers of a bot that identified itself, also while it is away."""

    id: str
    intents: int
    sent: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """Every event of it; an event's `s` is its place, from 1."""
    connection: Connection | None = None

    def event(self, name: str, body: Mapping[str, Any]) -> None:
        """Send an event now, or once the bot is back."""
        self.sent.append({"op": DISPATCH, "s": len(self.sent) + 1, "t": name, "d": body})
        if self.connection:
            self.connection.send(self.sent[-1])


class Connection:
    """A connected client: what is to be sent to it leaves in order."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.is_deaf = False
        self.is_ending = False
        """Whether it is this side that hangs up, which ends no session."""
        self.outgoing: asyncio.Queue[Frame] = asyncio.Queue()
        self.received: list[float] = []

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, unless the line is deaf."""
        if not self.is_deaf:
            self.outgoing.put_nowait(json.dumps(message))

    def close(self, close: Close) -> None:
        """Hang up after what is still to be sent."""
        self.is_ending = True
        self.outgoing.put_nowait(close)


class Gateway:
    """Serves bots. `allowed` are the privileged intents that the developer portal has switched on."""

    def __init__(self, world: World, token: str, *, message_content: bool, members: bool) -> None:
        self.world = world
        self.token = token
        self.token_works = True
        self.message_content = message_content
        self.sessions: dict[str, Session] = {}
        self.connections: list[Connection] = []
        self.identified = 0
        """How often a bot began a session."""
        self.resumed = 0
        """How often one took up its session again."""
        self.unknown: list[str] = []
        self._refused = (
            GUILD_PRESENCES | (0 if message_content else MESSAGE_CONTENT) | (0 if members else GUILD_MEMBERS)
        )

    @property
    def url(self) -> str:
        """Where the WebSocket is."""
        return self.world.url.replace("http", "ws", 1) + "/gateway"

    @property
    def is_connected(self) -> bool:
        """Whether a bot is here that has identified itself."""
        return any(connection.session for connection in self.connections)

    def close(self, code: int, reason: str = "") -> None:
        """Close every connection with this code: 4000 is "try again", 4004 a bad token."""
        self._each(lambda connection: connection.close(Close(code, reason)))

    def cut(self) -> None:
        """Break every connection without a word, like a lost network. Sessions can be resumed."""
        self._each(lambda connection: connection.close(CUT))

    def reconnect(self) -> None:
        """Ask every client to connect again and resume."""
        self._each(lambda connection: connection.send({"op": RECONNECT, "d": None}))

    def invalidate(self, *, is_resumable: bool = False) -> None:
        """Tell every client that its session is no good; what it missed then is gone, unless it may resume."""
        if not is_resumable:
            self.sessions.clear()
        self._each(lambda connection: connection.send({"op": INVALID, "d": is_resumable}))

    def go_deaf(self) -> None:
        """Let present connections stay open without another word on them: no events, no acks."""
        for connection in self.connections:
            connection.is_deaf = True

    def emit(self, name: str, body: Mapping[str, Any]) -> None:
        """Tell every session that wants to hear of it."""
        intents = next(intents for start, intents in INTENTS.items() if name.startswith(start))
        wanted = intents[0 if "guild_id" in body or name.startswith("GUILD") else 1]
        for session in self.sessions.values():
            if wanted & session.intents == wanted:
                session.event(name, self._blanked(name, body, session.intents))

    @property
    def application_flags(self) -> int:
        """The privileged intents that the developer portal has switched on, as an application shows them."""
        return sum(flag for intent, flag in PORTAL_FLAGS.items() if not intent & self._refused)

    async def serve(self, request: web.BaseRequest) -> web.WebSocketResponse:
        """One connection, until either side ends it."""
        socket = web.WebSocketResponse(max_msg_size=4096, compress=False)
        await socket.prepare(request)
        connection = Connection()
        self.connections.append(connection)
        connection.send({"op": HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(_write(socket, request, connection.outgoing))
                await self._read(socket, connection)
                writer.cancel()
        finally:
            self._leave(connection, None if connection.is_ending else socket.close_code)
        return socket

    async def _read(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            try:
                message = json.loads(frame.data)
            except ValueError:
                connection.close(Close(4002, "Decode error."))
                continue
            if not self._is_too_fast(connection):
                self._take(connection, message)

    def _is_too_fast(self, connection: Connection) -> bool:
        now = self.world.clock.monotonic()
        connection.received = [at for at in connection.received if now - at < SENDS_S] + [now]
        if len(connection.received) > SENDS:
            connection.close(Close(4008, "Rate limited."))
        return len(connection.received) > SENDS

    def _take(self, connection: Connection, message: Mapping[str, Any]) -> None:
        op: Any = message.get("op")
        data: Any = message.get("d")
        if op == HEARTBEAT:
            connection.send({"op": ACK})
        elif op in {IDENTIFY, RESUME} and connection.session:
            connection.close(Close(4005, "Already authenticated."))
        elif op == IDENTIFY:
            self._identify(connection, data)
        elif op == RESUME:
            self._resume(connection, data)
        elif connection.session is None:
            connection.close(Close(4003, "Not authenticated."))
        elif op == MEMBERS:
            self._members(connection.session, data)
        elif op not in {PRESENCE, VOICE}:
            self.unknown.append(f"gateway op {op}")
            connection.close(Close(4001, "Unknown opcode."))

    def _is_welcome(self, connection: Connection, data: Mapping[str, Any]) -> bool:
        if not self.token_works or data["token"].removeprefix("Bot ") != self.token:
            connection.close(Close(4004, "Authentication failed."))
            return False
        if data.get("intents", 0) & self._refused:
            connection.close(Close(4014, "Disallowed intent(s)."))
            return False
        return True

    def _identify(self, connection: Connection, data: Mapping[str, Any]) -> None:
        if not self._is_welcome(connection, data):
            return
        session = Session(secrets.token_hex(16), int(data["intents"]), connection=connection)
        self.sessions[session.id] = connection.session = session
        self.identified += 1
        guilds = [guild for guild in self.world.guilds.values() if guild.has_bot]
        about = {"v": 10, "user": self.world.bot.json(), "session_id": session.id, "resume_gateway_url": self.url}
        listed = [{"id": str(guild.id), "unavailable": True} for guild in guilds]
        application = {"id": str(self.world.bot.id), "flags": self.application_flags}
        session.event("READY", {**about, "guilds": listed, "application": application, "shard": [0, 1]})
        if session.intents & GUILDS:
            for guild in guilds:
                session.event("GUILD_CREATE", guild.json())
        self.world.changed()

    def _resume(self, connection: Connection, data: Mapping[str, Any]) -> None:
        if not self._is_welcome(connection, data):
            return
        session = self.sessions.get(data["session_id"])
        if session is None or data["seq"] > len(session.sent):
            connection.send({"op": INVALID, "d": False})
            return
        session.connection, connection.session = connection, session
        for event in session.sent[data["seq"] :]:
            connection.send(event)
        session.event("RESUMED", {})
        self.resumed += 1
        self.world.changed()

    def _members(self, session: Session, data: Mapping[str, Any]) -> None:
        guild = self.world.guilds[int(data["guild_id"])]
        people = [user for user in guild.people if user.name.lower().startswith(data.get("query") or "")]
        members = [guild.full_member(user) for user in people]
        chunk = {"guild_id": str(guild.id), "members": members, "chunk_index": 0, "chunk_count": 1, "not_found": []}
        session.event("GUILD_MEMBERS_CHUNK", {**chunk, "nonce": data.get("nonce")})

    def _blanked(self, name: str, body: Mapping[str, Any], intents: int) -> Mapping[str, Any]:
        is_message = name in {"MESSAGE_CREATE", "MESSAGE_UPDATE"} and "guild_id" in body
        return blanked(body, self.world.bot.id) if is_message and not intents & MESSAGE_CONTENT else body

    def _leave(self, connection: Connection, code: int | None) -> None:
        self.connections.remove(connection)
        session = connection.session
        if session and session.connection is connection:
            session.connection = None
            if code in {1000, 1001}:  # a client that says goodbye ends its session
                self.sessions.pop(session.id, None)
        self.world.changed()

    def _each(self, act: Callable[[Connection], None]) -> None:
        for connection in self.connections:
            act(connection)


def blanked(message: Mapping[str, Any], bot: int) -> Mapping[str, Any]:
    """A message of a guild as a bot sees it that may not read what people say to each other."""
    shown = dict(message)
    if shown.get("referenced_message"):
        shown["referenced_message"] = blanked(shown["referenced_message"], bot)
    if shown["author"]["id"] == str(bot) or any(user["id"] == str(bot) for user in shown["mentions"]):
        return shown
    return {**shown, "content": "", "embeds": [], "attachments": [], "components": []}


async def _write(socket: web.WebSocketResponse, request: web.BaseRequest, outgoing: asyncio.Queue[Frame]) -> None:
    with contextlib.suppress(ConnectionError):  # the client left; the reading side sees it too
        while isinstance(frame := await outgoing.get(), str):
            await socket.send_str(frame)
        if frame is CUT and request.transport:
            request.transport.abort()
        else:
            await socket.close(code=frame.code, message=frame.reason.encode())
