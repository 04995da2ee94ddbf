"""Whatever a node does, the door answers with one of halext's errors, in time, and reaches nothing else.

Every carrier under the door runs this suite: add its maker to `MAKERS`.
"""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from halext.errors import BadAnswer, HalextError, InvalidInput, TimedOut, Unreachable, UpstreamError
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.address import parse_url
from halext.upstreams.http import Answer, Deadlines, Door, pin

MAKERS: list[Callable[..., Door]] = [Door]
QUICK = Deadlines(connect_s=1.0, first_byte_s=0.3, gap_s=0.3, total_s=2.0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MB = 1024 * 1024

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Node:
    """A server on loopback that runs a script for each connection, after it has read the request's head."""

    script: Script
    port: int = 0
    hits: int = 0
    heads: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def endpoint(self) -> Endpoint:
        return endpoint_at(f"http://127.0.0.1:{self.port}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        if (task := asyncio.current_task()) is not None:
            self.serving.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self.script(reader, writer)
            await writer.drain()
        self.gone.set()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def stop(self) -> None:
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


def endpoint_at(url: str, *, cidrs: tuple[str, ...] = (), insecure: bool = False) -> Endpoint:
    return Endpoint(EndpointId("mac/ollama"), NodeName("mac"), "ollama", url, cidrs=cidrs, insecure=insecure)


@asynccontextmanager
async def node_with(script: Script) -> AsyncIterator[Node]:
    node = Node(script)
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
        stack.push_async_callback(node.stop)
        stack.callback(server.close)
        node.port = server.sockets[0].getsockname()[1]
        yield node


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
async def make_door(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Door]]:
    made: list[Door] = []

    def make(**options: object) -> Door:
        made.append(request.param(**options))
        return made[-1]

    yield make
    for door in made:
        await door.aclose()


def says(*parts: bytes) -> Script:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))

    return script


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def flood(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()


async def endless_body(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    await flood(writer, b"x" * 65_536)


async def endless_header(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    await flood(writer, b"x" * 65_536)


async def many_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await flood(writer, b"X-A: b\r\n" * 100)


async def drip(writer: asyncio.StreamWriter, text: bytes, pause_s: float = 0.1) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(pause_s)


async def slow_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, HEAD + b"Content-Length: 0\r\n\r\n")


async def dripped_body(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    await drip(writer, b"x" * 1000)


async def stalled_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\nhello")
    await reader.read()


async def interim_for_ever(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def reset_midway(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\nhello")
    await writer.drain()
    writer.transport.abort()


BOMB = gzip.compress(bytes(20 * MB))

HOSTILE: dict[str, tuple[Script, type[UpstreamError]]] = {
    "endless body": (endless_body, BadAnswer),
    "announced too long": (says(HEAD, b"Content-Length: 99999999999\r\n\r\n"), BadAnswer),
    "endless header": (endless_header, BadAnswer),
    "many headers": (many_headers, BadAnswer),
    "fat head": (says(HEAD, *(b"X-%d: %s\r\n" % (n, b"x" * 4000) for n in range(40)), b"\r\n"), BadAnswer),
    "gzip bomb": (says(HEAD, b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB), BadAnswer),
    "deflate": (says(HEAD, b"Content-Encoding: deflate\r\nContent-Length: 2\r\n\r\nxx"), BadAnswer),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BadAnswer),
    "bad chunk": (says(HEAD, b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n"), BadAnswer),
    "two lengths": (says(HEAD, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"), BadAnswer),
    "switching protocols": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), BadAnswer),
    "slow headers": (slow_headers, TimedOut),
    "interim answers": (interim_for_ever, TimedOut),
    "silence": (silence, TimedOut),
    "stalled body": (stalled_body, TimedOut),
    "dripped body": (dripped_body, TimedOut),
    "closed at once": (says(), Unreachable),
    "reset": (reset, Unreachable),
    "reset midway": (reset_midway, Unreachable),
    "closed midway": (says(HEAD, b"Content-Length: 1000\r\n\r\nhello"), Unreachable),
    "chunks cut off": (says(HEAD, b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), Unreachable),
}


@pytest.mark.parametrize("form", HOSTILE)
async def test_a_hostile_node_is_an_error_with_its_name(make_door: Callable[..., Door], form: str) -> None:
    script, expected = HOSTILE[form]
    async with node_with(script) as node:
        with pytest.raises(expected) as caught:
            await make_door().request(node.endpoint, "GET", "/api/tags", deadlines=QUICK, max_body=MB)
    assert (caught.value.node, caught.value.endpoint) == ("mac", "mac/ollama")
    assert "mac" in caught.value.message


@pytest.mark.parametrize("form", HOSTILE)
async def test_a_hostile_node_can_not_hold_a_stream(make_door: Callable[..., Door], form: str) -> None:
    script, _ = HOSTILE[form]
    async with node_with(script) as node, asyncio.timeout(5):
        with suppress(UpstreamError):
            async with make_door().stream(node.endpoint, "POST", "/api/chat", json=b"{}", deadlines=QUICK) as stream:
                received = 0
                async for chunk in stream.chunks():
                    received += len(chunk)
                    if received > 3 * MB or form == "dripped body":
                        break


async def test_a_hundred_hostile_calls_at_once_leave_the_next_one_alone(make_door: Callable[..., Door]) -> None:
    door = make_door()
    fine = says(HEAD, b"Content-Length: 2\r\n\r\n{}")
    async with node_with(stalled_body) as bad, node_with(fine) as good:
        other = endpoint_at(f"http://127.0.0.1:{good.port}")
        calls = [door.request(bad.endpoint, "GET", "/api/tags", deadlines=QUICK) for _ in range(100)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in failures] == [TimedOut] * 100
        answer = await door.request(other, "GET", "/api/tags", deadlines=QUICK)
    assert answer == Answer(200, {"content-type": "application/json", "content-length": "2"}, b"{}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "/api/version"])
async def test_no_redirect_is_followed(make_door: Callable[..., Door], status: int, target: str) -> None:
    async with node_with(says(HEAD, b"\r\n")) as sentinel:
        to = target.format(port=sentinel.port).encode()
        head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, to)
        async with node_with(says(head)) as node:
            with pytest.raises(BadAnswer, match="redirect refused"):
                await make_door().request(node.endpoint, "POST", "/api/chat", json=b"{}", deadlines=QUICK)
        assert (node.hits, sentinel.hits) == (1, 0)


async def test_a_refresh_header_and_cookies_do_nothing(make_door: Callable[..., Door]) -> None:
    async with node_with(says(HEAD, b"\r\n")) as sentinel:
        extra = b"Refresh: 0; url=http://127.0.0.1:%d/\r\nSet-Cookie: a=b\r\n" % sentinel.port
        async with node_with(says(HEAD, extra, b"Content-Length: 0\r\n\r\n")) as node:
            door = make_door()
            for _ in range(2):
                answer = await door.request(node.endpoint, "GET", "/api/tags", deadlines=QUICK)
                assert "set-cookie" not in answer.headers
        assert sentinel.hits == 0
    assert all(b"ookie" not in head for head in node.heads)


async def test_proxy_variables_are_ignored(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    async with node_with(says(HEAD, b"\r\n")) as sentinel, node_with(says(HEAD, b"Content-Length: 0\r\n\r\n")) as node:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{sentinel.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{sentinel.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert (await make_door().request(node.endpoint, "GET", "/api/tags", deadlines=QUICK)).status == 200
        assert (node.hits, sentinel.hits) == (1, 0)


async def test_cancelling_closes_the_connection(make_door: Callable[..., Door]) -> None:
    closed, begun = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        with suppress(OSError):
            await reader.read()
        closed.set()

    async def consume(door: Door, endpoint: Endpoint) -> None:
        async with door.stream(endpoint, "POST", "/api/chat", json=b"{}") as stream:
            async for _ in stream.chunks():
                begun.set()

    async with node_with(script) as node, asyncio.TaskGroup() as group:
        task = group.create_task(consume(make_door(), node.endpoint))
        async with asyncio.timeout(5):
            await begun.wait()
        loop = asyncio.get_running_loop()
        since = loop.time()
        task.cancel()
        async with asyncio.timeout(5):
            await closed.wait()
        assert loop.time() - since < 1.0  # 2 ms on an idle machine; the promise is 100


async def test_cancelling_before_the_head_closes_the_connection(make_door: Callable[..., Door]) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        with suppress(OSError):
            await reader.read()
        closed.set()

    async with node_with(script) as node, asyncio.TaskGroup() as group:
        task = group.create_task(make_door().request(node.endpoint, "GET", "/api/tags"))
        async with asyncio.timeout(5):
            await asked.wait()
            task.cancel()
            await closed.wait()


async def test_the_gap_clock_stands_while_we_pause(make_door: Callable[..., Door]) -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 10\r\n\r\nhello")
        await writer.drain()
        await may_end.wait()
        writer.write(b"world")

    may_end = asyncio.Event()
    quick = Deadlines(first_byte_s=2.0, gap_s=0.2)
    async with (
        node_with(script) as node,
        make_door().stream(node.endpoint, "POST", "/api/chat", json=b"{}", deadlines=quick) as stream,
    ):
        got = b""
        async for chunk in stream.chunks():
            got += chunk
            await asyncio.sleep(0.4)  # longer than the gap: ours, not the node's
            may_end.set()
    assert got == b"helloworld"


async def test_an_idle_connection_that_the_node_closed_is_replaced(make_door: Callable[..., Door]) -> None:
    """The node answers once per connection and closes without a word when the second request comes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")

    async with node_with(script) as node:
        door = make_door()
        for _ in range(3):
            async with door.stream(node.endpoint, "POST", "/api/chat", json=b"") as stream:
                assert await stream.read() == b"{}"
        assert node.hits == 3


async def test_what_must_not_be_repeated_is_sent_once(make_door: Callable[..., Door]) -> None:
    """The node reads it on a connection that had been kept, or on a new one, and hangs up: nobody may ask again."""
    asked: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = node.heads[-1]
        while b"POST /sdapi/v1/txt2img" not in head:
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
            head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)

    async with node_with(script) as node:
        door, endpoint = make_door(), replace(node.endpoint, kind="automatic1111")
        for number in (1, 2):
            assert (await door.request(endpoint, "GET", "/sdapi/v1/options")).status == 200
            with pytest.raises(Unreachable, match="closed the connection"):
                await door.request(endpoint, "POST", "/sdapi/v1/txt2img", json=b"", deadlines=QUICK)
            assert len(asked) == number
        assert node.hits == 3  # one that is kept, and one for each that must not be repeated


async def test_what_is_sent_once_leaves_no_connection_behind(make_door: Callable[..., Door]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await reader.read()

    async with node_with(script) as node:
        endpoint = replace(node.endpoint, kind="automatic1111")
        await make_door().request(endpoint, "POST", "/sdapi/v1/interrupt", json=b"")
        async with asyncio.timeout(5):
            await node.gone.wait()


async def test_connections_are_reused_and_forgotten(make_door: Callable[..., Door]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
            await reader.readuntil(b"\r\n\r\n")

    async with node_with(script) as node:
        door = make_door()
        for _ in range(3):
            await door.request(node.endpoint, "GET", "/api/tags")
        assert node.hits == 1
        await door.forget(node.endpoint.id)
        async with asyncio.timeout(5):
            await node.gone.wait()
        await door.request(node.endpoint, "GET", "/api/tags")
        assert node.hits == 2


async def test_nobody_listens(make_door: Callable[..., Door]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refuses"):
            await make_door().request(endpoint_at(f"http://127.0.0.1:{taken.getsockname()[1]}"), "GET", "/api/tags")


async def test_a_resolver_that_changes_its_answer(make_door: Callable[..., Door]) -> None:
    """Allowed at the check, elsewhere at the next connect: each connect is judged anew."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "10.0.0.1"], ["::ffff:127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    async with node_with(says(HEAD, b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")) as node:
        endpoint = endpoint_at(f"http://mac.lan:{node.port}", cidrs=("127.0.0.1/32",))
        door = make_door(resolve=resolve)
        assert (await door.request(endpoint, "GET", "/api/tags")).body == b"{}"
        for _ in range(2):  # another address; the right one beside a wrong one
            with pytest.raises(Unreachable, match="outside the networks"):
                await door.request(endpoint, "GET", "/api/tags")
        assert node.hits == 1
        assert (await door.request(endpoint, "GET", "/api/tags")).body == b"{}"
        assert b"Host: mac.lan" in node.heads[-1]


async def test_an_endpoint_that_moves_gets_new_connections(make_door: Callable[..., Door]) -> None:
    answer = says(HEAD, b"Content-Length: 2\r\n\r\n{}")
    async with node_with(answer) as old, node_with(answer) as new:
        door = make_door()
        await door.request(old.endpoint, "GET", "/api/tags")
        await door.request(new.endpoint, "GET", "/api/tags")
        assert (old.hits, new.hits) == (1, 1)


async def test_our_own_services_are_no_nodes(make_door: Callable[..., Door]) -> None:
    async with node_with(says(HEAD, b"Content-Length: 0\r\n\r\n")) as sentinel:
        door = make_door(own=frozenset({("0.0.0.0", sentinel.port)}), node_cidrs=["127.0.0.0/8"])
        for host in ("127.0.0.1", "localhost", "127.0.0.9", "[::ffff:127.0.0.1]"):
            with pytest.raises(Unreachable):
                await door.request(endpoint_at(f"http://{host}:{sentinel.port}"), "GET", "/api/tags")
        assert sentinel.hits == 0


@pytest.mark.parametrize(
    "path",
    ["/api/delete", "/api/tags/../delete", "/api//tags", "/api/%2e%2e/delete", "/api/tags\r\nX: y", "/hx/me", ""],
)
async def test_other_paths_never_leave(make_door: Callable[..., Door], path: str) -> None:
    async with node_with(says(HEAD, b"\r\n")) as sentinel:
        with pytest.raises(ValueError, match="never sends"):
            await make_door().request(sentinel.endpoint, "GET", path)
        assert sentinel.hits == 0


V4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
CARRIED = st.sampled_from(["::ffff:0:0:0/96", "64:ff9b::/96", "2002::/16", "::/96", "64:ff9b:1::/48", "fe80::/64"])
INSIDE = st.sampled_from(["127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0"]).map(ipaddress.IPv4Address) | V4
V6_CARRIED = st.builds(
    lambda net, v4: str(ipaddress.IPv6Address(int(ipaddress.ip_network(net).network_address) | int(v4))),
    CARRIED,
    INSIDE,
)
ODD = INSIDE.flatmap(
    lambda v4: st.sampled_from(
        [
            str(int(v4)),
            hex(int(v4)),
            f"{v4.packed[0]}.{int(v4) & 0xFFFFFF}",
            ".".join(f"0{byte:o}" for byte in v4.packed),
            ".".join(hex(byte) for byte in v4.packed),
            f"{v4}.",
            f"user@{v4}",
            f"[{v4}]",
            f"[::ffff:{v4}%lo]",
            f"{v4}#@example.org",
            f"example.org@{v4}",
            f"{v4}\\@example.org",
            "①②⑦.0.0.1",
        ]
    )
)
HOSTS = V4.map(str) | V6_CARRIED.map(lambda text: f"[{text}]") | ODD | st.text(max_size=20)


@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(host="2130706433", answer="127.0.0.1")
@example(host="127.1", answer="127.0.0.1")
@example(host="0x7f.1", answer="127.0.0.1")
@example(host="[::ffff:7f00:1]", answer="127.0.0.1")
@given(host=HOSTS, answer=INSIDE.map(str) | V6_CARRIED)
def test_generated_addresses_never_reach_this_machine(host: str, answer: str) -> None:
    """A node pinned to 192.0.2.7, and a URL and a resolver that lie about it: nothing is even tried."""
    asyncio.run(_refuse(host, answer))


async def _refuse(host: str, answer: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [answer]

    door = Door(resolve=resolve)
    try:
        for url in (f"http://{host}:80", "http://mac.lan:80"):
            try:
                endpoint = endpoint_at(parse_url(url), cidrs=("192.0.2.7/32",), insecure=True)
            except InvalidInput:
                continue
            with pytest.raises(Unreachable, match="may not be contacted"):
                await door.request(endpoint, "GET", "/api/tags", deadlines=QUICK)
    finally:
        await door.aclose()


async def test_pinning_keeps_exactly_what_the_name_says() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["192.168.1.20", "::ffff:192.168.1.20", "fd00::20"]

    assert await pin("mac.lan", 11434, resolve=resolve) == ("192.168.1.20/32", "fd00::20/128")
    assert await pin("10.0.0.5", 1) == ("10.0.0.5/32",)
    assert await pin("::1", 1) == ("::1/128",)


async def test_pinning_refuses_what_no_node_may_be() -> None:
    async def metadata(_host: str, _port: int) -> list[str]:
        return ["192.168.1.20", "169.254.169.254"]

    async def nothing(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(InvalidInput, match=r"169\.254\.169\.254 is never"):
        await pin("mac.lan", 11434, resolve=metadata)
    with pytest.raises(Unreachable, match=r"mac\.lan can't be resolved"):
        await pin("mac.lan", 11434, resolve=nothing)
    assert issubclass(Unreachable, HalextError)
