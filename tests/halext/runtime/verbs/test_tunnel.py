from __future__ import annotations

from pathlib import Path

import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import AlreadyExists, Forbidden, InvalidInput
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import Named, Nothing, TryNode
from halext.runtime.shapes_tunnel import JoinNode
from halext.runtime.verbs import nodes
from halext.runtime.verbs.tunnel import join_node
from halext.runtime.wiring import open_app
from halext.tunnel import policy
from halext.types import NodeName

MAC = NodeName("mac")


async def test_a_node_that_has_no_address(app: App, control: LocalControl) -> None:
    line = await control.call(join_node, JoinNode(name="mac"))
    (node,) = await control.call(nodes.list_nodes, Nothing())
    (endpoint,) = node.endpoints
    assert (endpoint.id, endpoint.kind, endpoint.via) == ("mac", "ollama", "tunnel")
    assert endpoint.url == "http://mac.internal:11434"
    assert app.registry.node("mac").endpoints[0].cidrs == ()
    code = line.unix.partition("dial join-")[2].partition(";")[0]
    assert await app.roster.invited(policy.digest(code), app.clock.now()) == MAC
    assert line.expires_at - app.clock.now() <= policy.CODE_LIFETIME_S
    assert app.tunnels.wanted.is_set()


async def test_asking_again_gives_another_code_until_it_has_joined(app: App, control: LocalControl) -> None:
    first, second = [await control.call(join_node, JoinNode(name="mac")) for _ in range(2)]
    assert first.unix != second.unix
    assert first.host_key == second.host_key
    code = second.windows.partition("join-")[2][:32]
    assert await app.roster.enrol(policy.digest(code), "ssh-ed25519 A", app.clock.now()) == MAC
    with pytest.raises(AlreadyExists, match="--again"):
        await control.call(join_node, JoinNode(name="mac"))
    await control.call(join_node, JoinNode(name="mac", again=True))
    assert await app.roster.key_of(MAC) is None
    assert len(app.registry.node("mac").endpoints) == 1


async def test_several_servers_on_one_computer(app: App, control: LocalControl) -> None:
    line = await control.call(join_node, JoinNode(name="pc", kinds=["ollama", "openai"]))
    assert [(e.id, e.kind, e.url) for e in app.registry.node("pc").endpoints] == [
        ("pc", "ollama", "http://pc.internal:11434"),
        ("pc/openai", "openai", "http://pc.internal:8080"),
    ]
    assert "-R 127.0.0.1:11434:127.0.0.1:11434 -R 127.0.0.1:8080:127.0.0.1:8080" in line.unix


@pytest.mark.parametrize(
    ("public", "said", "host"),
    [
        (None, None, "127.0.0.1"),
        ("https://ai.example.org/x", None, "ai.example.org"),
        ("https://ai.example.org", "10.0.0.9", "10.0.0.9"),
        (None, "fd00::1", "fd00::1"),
    ],
)
async def test_how_the_computer_reaches_us(tmp_path: Path, public: str | None, said: str | None, host: str) -> None:
    async with open_app(Settings(data_dir=tmp_path / "data", public_url=public)) as app:
        line = await join_node(app, LOCAL, JoinNode(name="mac", host=said))
    assert (line.host, line.port) == (host, 2222)
    assert f'"$1@{host}"' in line.unix


@pytest.mark.parametrize(
    "params",
    [
        JoinNode(name="join-me"),
        JoinNode(name="Mac; rm"),
        JoinNode(name="a..b"),
        JoinNode(name="mac", host="h; rm -rf /"),
        JoinNode(name="mac", host="h' x '"),
        JoinNode(name="mac", host="$(id)"),
    ],
)
async def test_what_can_not_stand_in_a_command_is_refused(app: App, control: LocalControl, params: JoinNode) -> None:
    with pytest.raises(InvalidInput):
        await control.call(join_node, params)
    assert app.registry.nodes() == []
    assert not await app.roster.is_used()


async def test_a_port_that_nobody_knows_yet(tmp_path: Path) -> None:
    async with open_app(Settings(data_dir=tmp_path / "data", tunnel_port=0)) as app:
        with pytest.raises(InvalidInput, match="HALEXT_TUNNEL_PORT"):
            await join_node(app, LOCAL, JoinNode(name="mac"))
        app.tunnels.port = 4022
        assert (await join_node(app, LOCAL, JoinNode(name="mac"))).port == 4022


async def test_it_takes_the_right_to_manage_nodes(app: App) -> None:
    user = await app.people.add_user("Ann", Role.MEMBER)
    with pytest.raises(Forbidden):
        await LocalControl(app, Caller(user.name, user.role, "token", user.id)).call(join_node, JoinNode(name="mac"))


async def test_a_node_that_is_forgotten_lets_nobody_in(app: App, control: LocalControl) -> None:
    await control.call(join_node, JoinNode(name="mac"))
    await control.call(nodes.remove_node, Named(name="mac"))
    assert not await app.roster.is_used()


async def test_a_test_names_the_tunnel(control: LocalControl) -> None:
    await control.call(join_node, JoinNode(name="mac"))
    (report,) = await control.call(nodes.try_node, TryNode(name="mac"))
    assert [(step.name, step.ok) for step in report.steps] == [("name", True), ("connect", False)]
    assert "tunnel is down" in report.steps[-1].detail
