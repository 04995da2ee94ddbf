from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from halext.nodes.types import Node
from halext.runtime.app import App
from halext.runtime.checks import nodes
from halext.runtime.settings import Settings
from halext.runtime.shapes import Finding
from halext.runtime.wiring import open_app
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint

NewFake = Callable[..., Awaitable[FakeOllama]]
PUBLIC = ("127.0.0.1/32", "203.0.113.7/32")
"""A node that is here for the test, and might be on the internet."""


def endpoint(url: str, name: str = "mac", **more: Any) -> Endpoint:
    return Endpoint(EndpointId(name), NodeName(name), "ollama", url, **more)


async def add(app: App, *endpoints: Endpoint) -> None:
    for each in endpoints:
        await app.registry.add(Node(each.node, (each,)))
        await app.prober.look(each.id)


async def found(app: App) -> list[Finding]:
    return [finding for finding in await nodes.look(app) if finding.level != "ok"]


async def test_no_node_at_all(app: App) -> None:
    assert [(f.level, f.fix) for f in await found(app)] == [("warning", "halext node add NAME URL")]


async def test_a_node_in_order(app: App, fake_ollama: NewFake) -> None:
    await add(app, endpoint((await fake_ollama()).url))
    assert await found(app) == []


async def test_a_node_that_does_not_answer(app: App) -> None:
    await add(app, endpoint("http://127.0.0.1:1", "pc"))
    (finding,) = await found(app)
    assert (finding.level, finding.fix) == ("warning", "halext node test pc")


@pytest.mark.parametrize(
    ("url", "via", "is_error"),
    [
        ("http://192.0.2.7:11434", "direct", True),
        ("https://192.0.2.7:11434", "direct", False),
        ("http://192.168.1.7:11434", "direct", False),
        ("http://192.0.2.7:11434", "tunnel", False),
    ],
)
async def test_plain_http_at_a_public_address(app: App, url: str, via: str, is_error: bool) -> None:
    known = endpoint(url, insecure=True, via=via)
    await app.registry.add(Node(known.node, (known,)))
    assert [f.fix.endswith("halext node join mac") for f in await found(app)] == [True] * is_error


@pytest.mark.parametrize(
    ("api_key", "has_secret", "checks"),
    [(None, False, ["open nodes"]), (None, True, ["open nodes"]), ("hush", True, [])],
)
async def test_a_public_node_that_asks_nobody_for_a_key(
    app: App, fake_ollama: NewFake, api_key: str | None, has_secret: bool, checks: list[str]
) -> None:
    fake = await fake_ollama(require_header=None if api_key is None else ("authorization", f"Bearer {api_key}"))
    ref = SecretRef("node/mac/headers")
    await app.vault.set_headers(ref, {"Authorization": "Bearer hush"})
    await add(app, endpoint(fake.url, cidrs=PUBLIC, secret=ref if has_secret else None))
    findings = await found(app)
    assert [(f.check, f.level) for f in findings] == [(check, "error") for check in checks]


@pytest.mark.parametrize(
    ("version", "cidrs", "level"), [("0.17.0", (), "warning"), ("0.17.0", PUBLIC, "error"), ("0.17.1", (), None)]
)
async def test_an_ollama_with_a_known_hole(
    app: App, fake_ollama: NewFake, version: str, cidrs: tuple[str, ...], level: str | None
) -> None:
    await add(app, endpoint((await fake_ollama(version=version)).url, cidrs=cidrs))
    levels = [finding.level for finding in await found(app) if finding.check == "ollama versions"]
    assert levels == ([level] if level else [])


@pytest.mark.parametrize(
    ("cidr", "is_wide"), [("10.0.0.0/8", True), ("192.168.0.0/16", False), ("fc00::/7", True), ("fd00::/48", False)]
)
async def test_networks_that_are_wider_than_a_home(settings: Settings, cidr: str, is_wide: bool) -> None:
    async with open_app(settings.model_copy(update={"node_cidrs": (cidr,)})) as app:
        assert [f.check for f in await found(app)] == ["nodes", *(["node networks"] * is_wide)]
        await app.registry.add(Node(NodeName("mac"), (endpoint("http://mac:11434", cidrs=(cidr,)),)))
        assert [f.check for f in await found(app)] == ["node networks"] * (2 * is_wide)
