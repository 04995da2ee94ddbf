from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from halext.accounts.types import Role
from halext.errors import DatabaseUnavailable
from halext.nodes.types import Node
from halext.runtime import doctor
from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint

CHECKS = [
    "master key",
    "database",
    "data directory",
    "other secrets",
    "schema",
    "durability",
    "vault",
    "master key strength",
    "first admin",
    "tokens",
    "nodes",
    "clock",
    "doors",
    "proxies",
    "account",
    "disk",
]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, and on a full disk."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(used=10, total=100))


@pytest.mark.usefixtures("machine")
async def test_a_fresh_house_lacks_people_and_nodes_only(app: App) -> None:
    wrong = {finding.check: finding.level for finding in await doctor.examine(app) if finding.level != "ok"}
    assert wrong == {"first admin": "warning", "nodes": "warning"}


@pytest.mark.usefixtures("machine")
async def test_a_house_in_order_has_no_finding(app: App, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    fake = await fake_ollama()
    await app.people.add_user("Ann", Role.ADMIN)
    await app.vault.set(SecretRef("discord"), "x")
    endpoint = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", fake.url)
    await app.registry.add(Node(NodeName("mac"), (endpoint,)))
    await app.prober.look(endpoint.id)
    findings = await doctor.examine(app)
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert [finding.check for finding in findings] == CHECKS


async def test_what_is_wrong_comes_with_a_reason_and_a_remedy(app: App) -> None:
    app.settings.data_dir.chmod(0o755)
    for finding in await doctor.examine(app):
        assert finding.what.endswith(".")
        assert bool(finding.why) == bool(finding.fix) == (finding.level != "ok"), finding


async def test_a_check_that_can_not_look_says_so_and_the_others_go_on(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(app: App) -> list[Finding]:
        raise DatabaseUnavailable

    monkeypatch.setitem(doctor.CHECKS, "people", away)
    findings = await doctor.examine(app)
    (finding,) = [finding for finding in findings if finding.check == "people"]
    assert (finding.level, finding.what.split(":")[0]) == ("error", "Could not be looked at")
    assert findings[-1].check == "disk"
