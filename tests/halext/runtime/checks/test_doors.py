from __future__ import annotations

from typing import Any

import pytest

from halext.runtime.app import App
from halext.runtime.checks import doors

BEHIND = {"public_url": "https://ai.example.org", "trusted_proxies": ("127.0.0.1/32",)}


async def levels(app: App, **settings: Any) -> dict[str, list[str]]:
    app.settings = app.settings.model_copy(update=settings)
    found: dict[str, list[str]] = {}
    for finding in await doors.look(app):
        found.setdefault(finding.check, []).append(finding.level)
    return found


FINE = {"doors": ["ok"], "proxies": ["ok"]}


@pytest.mark.parametrize("chosen", [{}, {"host": "localhost"}, BEHIND, {**BEHIND, "host": "0.0.0.0"}])
async def test_doors_in_order(app: App, chosen: dict[str, Any]) -> None:
    assert await levels(app, **chosen) == FINE


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "halext.lan"])
async def test_a_door_to_the_network_without_tls(app: App, host: str) -> None:
    assert (await levels(app, host=host))["doors"] == ["error"]


@pytest.mark.parametrize(
    ("cidr", "level"),
    [("0.0.0.0/0", "error"), ("::/0", "error"), ("203.0.113.0/24", "warning"), ("10.0.0.0/8", "ok"), ("::1/128", "ok")],
)
async def test_trust_in_everyone(app: App, cidr: str, level: str) -> None:
    assert (await levels(app, trusted_proxies=(cidr,)))["proxies"] == [level]


async def test_https_outside_and_no_proxy_to_trust(app: App) -> None:
    assert (await levels(app, public_url="https://ai.example.org"))["proxies"] == ["warning"]


@pytest.mark.parametrize(
    ("sign", "peer", "level", "fix"),
    [
        ("untrusted", "127.0.0.1", "warning", "HALEXT_TRUSTED_PROXIES=127.0.0.1"),
        ("untrusted", "203.0.113.9", "note", ""),
        ("silent", "127.0.0.1", "warning", "X-Forwarded-For"),
    ],
)
async def test_what_the_web_door_saw(app: App, sign: Any, peer: str, level: str, fix: str) -> None:
    """Nobody is told to trust an address on the internet because it asked for it."""
    app.proxy_signs[sign] = peer
    _, finding = await doors.look(app)
    assert finding.level == level
    assert fix in finding.fix
    assert peer in finding.what
    assert fix or not finding.fix
