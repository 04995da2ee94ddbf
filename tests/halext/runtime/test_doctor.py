from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from halext.accounts.types import Role
from halext.nodes.types import Node
from halext.runtime import doctor
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import Finding
from halext.runtime.wiring import open_app
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.vault.cipher import new_key


def levels(findings: list[Finding]) -> dict[str, str]:
    rank = ["ok", "note", "warning", "error"]
    found: dict[str, str] = {}
    for finding in findings:
        found[finding.check] = max(found.get(finding.check, "ok"), finding.level, key=rank.index)
    return found


async def test_a_fresh_house_lacks_people_and_nodes_only(app: App) -> None:
    found = levels(await doctor.examine(app))
    assert {check for check, level in found.items() if level != "ok"} <= {"first admin", "nodes", "disk"}
    assert found["first admin"] == found["nodes"] == "warning"


async def test_everything_in_order(app: App, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    fake = await fake_ollama()
    await app.people.add_user("Ann", Role.ADMIN)
    endpoint = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", fake.url)
    await app.registry.add(Node(NodeName("mac"), (endpoint,)))
    await app.prober.look(endpoint.id)
    found = levels(await doctor.examine(app))
    assert {check for check, level in found.items() if level != "ok"} <= {"disk"}
    assert set(found) == {
        "master key",
        "database",
        "data directory",
        "schema",
        "vault",
        "first admin",
        "nodes",
        "doors",
        "disk",
    }


async def test_files_that_others_can_read(app: App) -> None:
    data = app.settings.data_dir
    (data / "master.key").chmod(0o644)
    (data / "halext.db").chmod(0o640)
    data.chmod(0o755)
    findings = [f for f in await doctor.examine(app) if f.level == "error"]
    assert [f.check for f in findings] == ["master key", "database", "data directory"]
    assert findings[0].fix == f"chmod 600 {data / 'master.key'}"
    assert findings[2].fix == f"chmod 700 {data}"


async def test_secrets_that_the_key_does_not_open(settings: Settings) -> None:
    async with open_app(settings) as app:
        await app.vault.set(SecretRef("discord"), "x")
    other = settings.model_copy(update={"master_key": SecretStr(new_key())})
    async with open_app(other) as app:
        (finding,) = [f for f in await doctor.examine(app) if f.check == "vault"]
    assert finding.level == "error"
    assert "discord" in finding.what


async def test_nodes_that_do_not_answer_and_unsafe_ones(app: App) -> None:
    endpoint = Endpoint(EndpointId("far"), NodeName("far"), "ollama", "http://192.0.2.7:11434", insecure=True)
    gone = Endpoint(EndpointId("pc"), NodeName("pc"), "ollama", "http://127.0.0.1:1")
    await app.registry.add(Node(NodeName("far"), (endpoint,)))
    await app.registry.add(Node(NodeName("pc"), (gone,)))
    await app.prober.look(gone.id)
    findings = {f.what.split()[0]: f for f in await doctor.examine(app) if f.check == "nodes"}
    assert findings["pc"].fix == "halext node test pc"
    assert findings["far"].level == "error"


async def test_a_door_to_the_network_without_tls(settings: Settings) -> None:
    wide = settings.model_copy(update={"host": "0.0.0.0"})
    async with open_app(wide) as app:
        assert levels(await doctor.examine(app))["doors"] == "error"
    behind = wide.model_copy(update={"public_url": "https://ai.example.org"})
    async with open_app(behind) as app:
        assert levels(await doctor.examine(app))["doors"] == "ok"
