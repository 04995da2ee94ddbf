"""The one outbound door: every byte to a node or a webhook goes through here, and every byte from one is counted.

aiohttp alone carries it: httpx above it would cost four times the CPU per request and report a refused connection as a
timeout. Nothing of aiohttp is seen outside this file and `channel.py`, which lets it run through a tunnel.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from halext.errors import BadAnswer, HalextError, InvalidInput, TimedOut, Unreachable
from halext.types import Clock, EndpointId
from halext.upstream import Channel, Endpoint, OpenChannel, Receiver, Reveal, Via
from halext.upstreams import custom
from halext.upstreams.address import Place, Rule, networks, only, pinned, place, refusal, unwrapped_text
from halext.upstreams.allowed import ALLOWED, is_allowed, is_repeatable
from halext.upstreams.channel import ChannelConnector
from halext.upstreams.secrets import SecretHeaders, quoted

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that is read whole; as long as the longest line a node may send."""
MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body: a sentence, or a tunnel's error page."""
MAX_HEAD = 64 * 1024
"""Bytes of an answer's headers together; each line is cut by aiohttp at 8 KiB, their number at 128."""
MAX_DATE = 64
"""Characters of a Date header that are kept; a right one has 29."""
READ_BUFFER = 64 * 1024
"""aiohttp stops reading a socket when twice this much waits for us: what a stream may hold in memory."""
KEEP_ALIVE_S = 4.0
"""An idle connection is dropped before llama.cpp's server, which waits 5 s, drops it under a request."""
_KEPT_S = (KEEP_ALIVE_S, None)
"""Of the connections that are used again, and of those that are not."""
_STATUSES, _REDIRECTS = range(200, 600), range(300, 400)
_PLAIN = {"accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each phase of a call may take, in seconds; None is no limit.

    `first_byte_s` runs from the call to the first byte of the body, `gap_s` between two reads, not while we pause.
    """

    connect_s: float = 3.0
    first_byte_s: float | None = None
    gap_s: float = 30.0
    total_s: float | None = None


PROBE = Deadlines(first_byte_s=4.0, gap_s=4.0, total_s=4.5)
"""For a look at a node: done before the next one, 5 s later, begins."""
CALL = Deadlines(first_byte_s=300.0, total_s=600.0)
"""For an answer that comes in one piece, such as embeddings: a model may be loaded first."""
STREAM = Deadlines()
"""For chat: the first byte is the caller's to predict, and an answer may take as long as it keeps coming."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host name and port to literal addresses. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def system_resolve(host: str, port: int) -> list[str]:
    """What this machine's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def pin(host: str, port: int, *, resolve: Resolve = system_resolve) -> tuple[str, ...]:
    """The networks to keep for a node that is being added: exactly the addresses its host has now.

    Raises `Unreachable` when the name leads nowhere, `InvalidInput` when it leads where no node may be.
    """
    spot = place(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    try:
        found = [str(spot.literal)] if spot.literal else await resolve(spot.host, port)
    except OSError as error:
        raise Unreachable(f"The name {spot.host} can't be resolved; check its spelling.") from error
    cidrs = tuple(dict.fromkeys(only(address) for address in map(unwrapped_text, found)))
    for address in found:
        if why := refusal(address, "https", port, Rule(networks(cidrs))):
            raise InvalidInput(f"{spot.host} can't be a node: {why}.")
    return cidrs


class Door:
    """Speaks HTTP to nodes. Raises only `UpstreamError`s, with node and endpoint set; a wrong call is a ValueError.

    `own` are the (address, port) pairs of halext's own services, `node_cidrs` the networks in which an administrator
    allows every node. Without a clock, secret headers are opened anew for each request. `open_channel` is the way to
    endpoints behind a tunnel.
    """

    def __init__(
        self,
        reveal: Reveal | None = None,
        clock: Clock | None = None,
        *,
        node_cidrs: Iterable[str] = (),
        own: frozenset[tuple[str, int]] = frozenset(),
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        open_channel: OpenChannel | None = None,
    ) -> None:
        self._secrets = SecretHeaders(reveal, clock)
        self._node_networks = networks(node_cidrs)
        self._own = own
        self._resolve = resolve
        self._tls = tls
        self._open_channel = open_channel
        self._lines: dict[EndpointId, _Line] = {}
        self._clock = clock
        self.dates: dict[EndpointId, tuple[str, float]] = {}
        """What each endpoint's last answer said in its Date header, and when that was by our clock."""

    async def request(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        *,
        json: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadlines: Deadlines = PROBE,
        max_body: int = MAX_BODY,
    ) -> Answer:
        """The whole answer, at most `max_body` bytes of it."""
        call = _Call(method, path, json, headers or {})
        with _in_words(endpoint):
            async with asyncio.timeout(deadlines.total_s):
                async with self._open(endpoint, call, deadlines) as stream:
                    return Answer(stream.status, stream.headers, await stream.read(max_body))

    @asynccontextmanager
    async def stream(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        *,
        json: bytes,
        headers: Mapping[str, str] | None = None,
        deadlines: Deadlines = STREAM,
    ) -> AsyncIterator[Stream]:
        """The answer as it comes. Leaving early closes the connection, and with it the work at the node."""
        async with self._open(endpoint, _Call(method, path, json, headers or {}), deadlines) as stream:
            yield stream

    async def forget(self, endpoint_id: EndpointId) -> None:
        """Close an endpoint's connections, running ones too, and drop what is remembered of it."""
        self._secrets.forget(endpoint_id)
        self.dates.pop(endpoint_id, None)
        if line := self._lines.pop(endpoint_id, None):
            await line.kept.close()
            await line.fresh.close()

    async def aclose(self) -> None:
        """Close every connection."""
        for endpoint_id in list(self._lines):
            await self.forget(endpoint_id)

    @asynccontextmanager
    async def _open(self, endpoint: Endpoint, call: _Call, deadlines: Deadlines) -> AsyncIterator[Stream]:
        may_send = is_allowed if endpoint.kind in ALLOWED else custom.may_send
        if not may_send(endpoint.kind, call.method, call.path):
            path = "such a path" if endpoint.kind == "webhook" else repr(call.path)  # the path of a webhook is its key
            raise ValueError(f"halext never sends {call.method} {path} to a server of kind {endpoint.kind}")
        started = asyncio.get_running_loop().time()
        limit = None if deadlines.first_byte_s is None else started + deadlines.first_byte_s
        with _in_words(endpoint):
            async with asyncio.timeout_at(limit):
                secret = await self._secrets.headers(endpoint)
                line = await self._line(endpoint)
                session = line.kept if is_repeatable(endpoint.kind, call.method, call.path) else line.fresh
                response = await _send(session, line.place.url, call, secret, deadlines.connect_s)
        if self._clock and (date := response.headers.get("Date")):
            self.dates[endpoint.id] = date[:MAX_DATE], self._clock.now()
        try:
            _check_head(endpoint, response)
            yield Stream(endpoint, response, limit, deadlines.gap_s, quoted(secret))
        finally:
            response.close()

    async def _line(self, endpoint: Endpoint) -> _Line:
        """The endpoint's connections. Others are made when its address or rule changes: old ones may not go on."""
        key = (endpoint.url, endpoint.cidrs, endpoint.insecure, endpoint.via)
        line = self._lines.get(endpoint.id)
        if line is not None and line.key == key:
            return line
        if line is not None:
            await self.forget(endpoint.id)
        self._lines[endpoint.id] = made = _Line(key, *self._connect(endpoint))
        return made

    def rule_for(self, endpoint: Endpoint) -> Rule:
        """Where this endpoint's address may lie."""
        own_networks = pinned(place(endpoint.url), endpoint.cidrs)
        shared = () if endpoint.kind == "webhook" else self._node_networks
        return Rule(own_networks + shared, self._own, endpoint.insecure)

    async def channel(self, endpoint: Endpoint, receiver: Receiver) -> Channel:
        """A channel to an endpoint behind a tunnel. Raises `Unreachable`."""
        if self._open_channel is None:
            raise _unreachable(endpoint, "is behind a tunnel, and nothing here receives tunnels.")
        return await self._open_channel(endpoint, receiver)

    def _connect(self, endpoint: Endpoint) -> tuple[Place, aiohttp.ClientSession, aiohttp.ClientSession]:
        spot = place(endpoint.url)
        if endpoint.via == "tunnel":
            opening = partial(self.channel, endpoint)
            kept, fresh = (_session(ChannelConnector(opening, keepalive_s=kept_s)) for kept_s in _KEPT_S)
            return spot, kept, fresh
        resolver = _CheckedResolver(endpoint, spot, self.rule_for(endpoint), self._resolve)
        if spot.literal is not None:
            resolver.check(str(spot.literal))  # aiohttp asks no resolver for these
        kept, fresh = (_session(_tcp(resolver, self._tls, kept_s)) for kept_s in _KEPT_S)
        return spot, kept, fresh


class Stream:
    """An answer whose body is still coming. Header names are lower-case."""

    def __init__(
        self,
        endpoint: Endpoint,
        response: aiohttp.ClientResponse,
        first_byte_at: float | None,
        gap_s: float,
        quoted: tuple[bytes, ...] = (),
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"
        }
        self._endpoint = endpoint
        self._response = response
        self._first_byte_at = first_byte_at
        self._gap_s = gap_s
        self._quoted = quoted

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as the node sends them; never an empty piece."""
        loop = asyncio.get_running_loop()
        deadline = self._first_byte_at
        while True:
            with _in_words(self._endpoint):
                async with asyncio.timeout_at(deadline):
                    chunk = await self._response.content.readany()
            if not chunk:
                return
            yield chunk
            deadline = loop.time() + self._gap_s

    async def read(self, max_body: int = MAX_ERROR_BODY) -> bytes:
        """The rest of the body in one piece. Raises `BadAnswer` when it is longer than `max_body` bytes.

        In that of an error the endpoint's own key is hidden: servers quote a key that they refuse, and people read it.
        """
        body = bytearray()
        if (self._response.content_length or 0) <= max_body:
            async for chunk in self.chunks():
                body += chunk
                if len(body) > max_body:
                    break
            else:
                for key in self._quoted if self.status >= HTTPStatus.BAD_REQUEST else ():
                    body = body.replace(key, b"[hidden]")
                return bytes(body)
        raise _bad(self._endpoint, f"sent an answer of more than {max_body:,} bytes.")


@dataclass(frozen=True, slots=True)
class _Call:
    """What to send, but for the endpoint's secret headers."""

    method: str
    path: str
    json: bytes | None
    headers: Mapping[str, str]

    def all_headers(self, secret: Mapping[str, str]) -> dict[str, str]:
        """Lower-case names; the endpoint's own headers come last and win."""
        typed = {"content-type": "application/json"} if self.json is not None else {}
        return {"accept": "*/*", "user-agent": "halext"} | typed | dict(self.headers) | dict(secret) | _PLAIN


@dataclass(frozen=True, slots=True)
class _Line:
    """The open connections to one endpoint."""

    key: tuple[str, tuple[str, ...], bool, Via]
    place: Place
    kept: aiohttp.ClientSession
    """Its connections are used again."""
    fresh: aiohttp.ClientSession
    """Each of its requests has a connection of its own: for what must not be sent twice. An idle connection that breaks
    under a request leaves open whether the server has read it."""


class _CheckedResolver(AbstractResolver):
    """Gives aiohttp literal addresses that passed the rule, at each connect; one that fails refuses the whole name."""

    def __init__(self, endpoint: Endpoint, spot: Place, rule: Rule, resolve: Resolve) -> None:
        self._endpoint = endpoint
        self._place = spot
        self._rule = rule
        self._ask = resolve

    def check(self, address: str) -> None:
        """Raise `Unreachable` unless halext may connect there."""
        if why := refusal(address, self._place.scheme, self._place.port, self._rule):
            raise _unreachable(self._endpoint, f"may not be contacted: {why}.")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._ask(host, port)
        for address in addresses:
            self.check(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in map(unwrapped_text, addresses)
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class _Trip:
    """Notes by aiohttp's tracing whether a request went out on a connection that had been idle."""

    reused: bool = False


async def _note(_session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.reused = isinstance(params, aiohttp.TraceConnectionReuseconnParams)


def _tcp(resolver: AbstractResolver, tls: ssl.SSLContext | None, kept_s: float | None) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        limit=0,  # how many requests an endpoint gets is the gateway's to say
        resolver=resolver,
        use_dns_cache=False,
        keepalive_timeout=kept_s,
        force_close=kept_s is None,
        ssl=tls or True,
    )


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note)
    trace.on_connection_create_start.append(_note)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=READ_BUFFER,
        trace_configs=[trace],
    )


async def _send(
    session: aiohttp.ClientSession, url: str, call: _Call, secret: Mapping[str, str], connect_s: float
) -> aiohttp.ClientResponse:
    """The answer's head. Asked once more when an idle connection turns out to have been closed by the node."""
    timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s)
    while True:
        trip = _Trip()
        try:
            return await session.request(
                call.method,
                url + call.path,
                headers=call.all_headers(secret),
                data=call.json,
                allow_redirects=False,
                timeout=timeout,
                trace_request_ctx=trip,
            )
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not trip.reused:
                raise


def _check_head(endpoint: Endpoint, response: aiohttp.ClientResponse) -> None:
    if response.status in _REDIRECTS:
        raise _bad(endpoint, "redirect refused: the server sent halext elsewhere; give the address it really has.")
    if response.status not in _STATUSES:
        raise _bad(endpoint, f"answered with status {response.status}, which ends no request.")
    if sum(len(name) + len(value) for name, value in response.raw_headers) > MAX_HEAD:
        raise _bad(endpoint, f"sent more than {MAX_HEAD:,} bytes of headers.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"identity", ""}:
        raise _bad(endpoint, "sent a compressed answer though halext asked for a plain one.")


@contextmanager
def _in_words(endpoint: Endpoint) -> Iterator[None]:
    """Turn what aiohttp and asyncio raise into halext's own errors."""
    try:
        yield
    except aiohttp.ClientResponseError:
        # Not a word of it goes on: its repr holds the request's headers, and among them the endpoint's key.
        raise _bad(endpoint, "sent an answer that is not HTTP.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise _translated(endpoint, error) from error


def _translated(endpoint: Endpoint, error: aiohttp.ClientError | OSError) -> HalextError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return _unreachable(endpoint, "does not accept a connection; is it switched on?")
        case TimeoutError():
            message = f"{endpoint.node} did not answer in time."
            return TimedOut(message, node=endpoint.node, endpoint=endpoint.id)
        case aiohttp.ClientConnectorDNSError():
            return _unreachable(endpoint, "can't be found under its name; check the name or use an address.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return _unreachable(endpoint, "has no TLS certificate that this machine trusts for its name.")
        case ConnectionRefusedError() | aiohttp.ClientConnectorError():
            return _unreachable(endpoint, "refuses the connection; is its server running?")
        case aiohttp.ClientPayloadError() if "Not enough data" not in str(error):
            return _bad(endpoint, "sent a body that is not well-formed HTTP.")
        case _:
            return _unreachable(endpoint, "closed the connection before its answer was whole.")


def _unreachable(endpoint: Endpoint, what: str) -> Unreachable:
    return Unreachable(f"{endpoint.node} ({endpoint.url}) {what}", node=endpoint.node, endpoint=endpoint.id)


def _bad(endpoint: Endpoint, what: str) -> BadAnswer:
    return BadAnswer(f"{endpoint.node} ({endpoint.url}) {what}", node=endpoint.node, endpoint=endpoint.id)
