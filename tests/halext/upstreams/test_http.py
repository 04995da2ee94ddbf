"""The door on its own: what it sends, TLS, secrets, memory. What nodes may do to it is in contracts/test_door.py."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from halext.errors import BadAnswer, KeyRefused, TimedOut, Unreachable
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.http import CALL, PROBE, STREAM, Deadlines, Door, system_resolve

OK = b"HTTP/1.1 200 OK\r\nX-Halext-Node: mac\r\nContent-Length: 2\r\n\r\n{}"
CANARY = "canary-77ab"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Recorder:
    """Answers the same to every request and keeps what it was sent."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if b"Content-Length: 9" in head:
                    self.heads[-1] += await reader.readexactly(9)
                writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def at(port: int, host: str = "127.0.0.1", scheme: str = "http") -> Endpoint:
    return Endpoint(EndpointId("mac/ollama"), NodeName("mac"), "ollama", f"{scheme}://{host}:{port}")


async def test_what_is_sent(door: Door) -> None:
    node = Recorder()
    async with listening(node) as port:
        answer = await door.request(
            at(port), "POST", "/api/show", json=b'{"a": 12}', headers={"x-halext-node": "mac"}, deadlines=CALL
        )
        await door.aclose()
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["x-halext-node"] == "mac"
    head, _, body = node.heads[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 12}'
    lines = {line.lower() for line in head.split(b"\r\n")}
    assert lines == {
        b"post /api/show http/1.1",
        b"host: 127.0.0.1:%d" % port,
        b"accept: */*",
        b"accept-encoding: identity",
        b"user-agent: halext",
        b"content-type: application/json",
        b"content-length: 9",
        b"x-halext-node: mac",
    }


async def test_secret_headers_go_to_their_endpoint_only() -> None:
    async def reveal(_ref: SecretRef) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {CANARY}"}

    mine, other = Recorder(), Recorder()
    door = Door(reveal)
    async with listening(mine) as my_port, listening(other) as other_port:
        await door.request(replace(at(my_port), secret=SecretRef("mac")), "GET", "/api/tags")
        await door.request(replace(at(other_port), id=EndpointId("pc/ollama")), "GET", "/api/tags")
        await door.aclose()
    assert CANARY.encode() in mine.heads[0]
    assert CANARY.encode() not in b"".join(other.heads)


async def test_no_error_shows_a_secret() -> None:
    async def reveal(_ref: SecretRef) -> Mapping[str, str]:
        return {"Authorization": CANARY}

    door = Door(reveal)
    async with listening(Recorder(b"nonsense\r\n\r\n")) as port:
        with pytest.raises(BadAnswer) as caught:
            await door.request(replace(at(port), secret=SecretRef("mac")), "GET", "/api/tags")
        await door.aclose()
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in repr(caught.value) + repr(caught.value.__cause__)


async def test_secret_headers_that_can_not_be_sent_stop_the_request() -> None:
    async def reveal(_ref: SecretRef) -> Mapping[str, str]:
        return {"Host": "elsewhere"}

    node = Recorder()
    door = Door(reveal)
    async with listening(node) as port:
        with pytest.raises(KeyRefused):
            await door.request(replace(at(port), secret=SecretRef("mac")), "GET", "/api/tags")
        await door.aclose()
    assert node.heads == []


async def test_error_bodies_of_a_stream_are_read_up_to_a_cap(door: Door) -> None:
    async with listening(Recorder(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")) as port:
        async with door.stream(at(port), "POST", "/api/chat", json=b'{"a": 12}') as stream:
            assert (stream.status, await stream.read()) == (404, b"no")
        async with door.stream(at(port), "POST", "/api/chat", json=b'{"a": 12}') as stream:
            with pytest.raises(BadAnswer, match="more than 1 bytes"):
                await stream.read(1)
        await door.aclose()


async def test_the_first_byte_is_the_body_s_not_the_head_s(door: Door) -> None:
    """Servers that send their head at once and think afterwards are held to the same deadline."""
    done = asyncio.Event()

    async def think(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await reader.read()
        writer.close()
        done.set()

    async with listening(think) as port:
        async with door.stream(
            at(port), "POST", "/api/chat", json=b"{}", deadlines=Deadlines(first_byte_s=0.3)
        ) as stream:
            assert stream.status == 200
            with pytest.raises(TimedOut):
                await anext(aiter(stream.chunks()))
        async with asyncio.timeout(5):
            await done.wait()


async def test_a_node_that_floods_us_waits_for_us(door: Door) -> None:
    """While we do not read, a node can send no more than the buffers on the way hold."""
    stalled, gone = asyncio.Event(), asyncio.Event()
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(TimeoutError):
            while sent < 200_000_000:
                writer.write(bytes(65_536))
                async with asyncio.timeout(0.5):
                    await writer.drain()
                sent += 65_536
        stalled.set()
        with suppress(OSError):
            await reader.read()
        writer.transport.abort()
        gone.set()

    async with listening(flood) as port:
        async with door.stream(at(port), "POST", "/api/chat", json=b"{}"), asyncio.timeout(20):
            await stalled.wait()
        assert sent < 16_000_000  # nearly all of it the kernel's: loopback sockets grow to some MB
        async with asyncio.timeout(5):
            await gone.wait()


async def test_rules_that_need_no_connection(door: Door) -> None:
    for endpoint in (
        at(1, "8.8.8.8"),
        replace(at(1, "10.0.0.1"), cidrs=("10.0.0.2/32",)),
        at(80, "169.254.169.254"),
        replace(at(1, "mac.lan"), cidrs=()),
    ):
        door_with_names = Door(resolve=_home)
        with pytest.raises(Unreachable, match="may not be contacted"):
            await door_with_names.request(endpoint, "GET", "/api/tags")
        await door_with_names.aclose()


async def _home(_host: str, _port: int) -> list[str]:
    return ["10.0.0.9"]


async def test_a_name_that_leads_nowhere() -> None:
    async def nothing(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    door = Door(resolve=nothing)
    with pytest.raises(Unreachable, match="can't be found"):
        await door.request(replace(at(1, "mac.lan"), cidrs=("10.0.0.0/8",)), "GET", "/api/tags")
    await door.aclose()


async def test_the_system_s_resolver() -> None:
    assert "127.0.0.1" in await system_resolve("localhost", 80)


def test_deadlines_fit_what_they_are_for() -> None:
    assert PROBE.total_s is not None
    assert PROBE.total_s < 5.0  # the next probe begins
    assert CALL.first_byte_s is not None
    assert STREAM.total_s is None
    assert STREAM.gap_s == 30.0


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


@pytest.mark.parametrize(("name", "trusted"), [("mac.lan", True), ("pc.lan", False)])
async def test_tls_checks_the_name_while_the_address_is_pinned(tmp_path: Path, name: str, trusted: bool) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    server, client = _certificate(tmp_path, name)
    node = Recorder()
    door = Door(resolve=resolve, tls=client)
    async with listening(node, server) as port:
        endpoint = replace(at(port, "mac.lan", "https"), cidrs=("127.0.0.1/32",))
        if trusted:
            assert (await door.request(endpoint, "GET", "/api/tags")).body == b"{}"
        else:
            with pytest.raises(Unreachable, match="TLS certificate"):
                await door.request(endpoint, "GET", "/api/tags")
        await door.aclose()
    assert bool(node.heads) is trusted


async def test_an_unknown_certificate_is_refused(tmp_path: Path, door: Door) -> None:
    server, _ = _certificate(tmp_path, "localhost")
    node = Recorder()
    async with listening(node, server) as port:
        with pytest.raises(Unreachable, match="TLS certificate"):
            await door.request(at(port, "localhost", "https"), "GET", "/api/tags")
    assert node.heads == []
