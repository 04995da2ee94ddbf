from __future__ import annotations

import json

import pytest

from halext.errors import UnknownNode, Unreachable
from halext.runtime.shapes import AddNode, Done, DrainNode, Named, Step, TrialReport, TryNode, UnloadModel
from halext.runtime.shapes_tunnel import JoinLine, JoinNode
from tests.halext.cli.conftest import FakeControl, Run, a_node, an_endpoint


def test_add_passes_on_all_that_was_said(control: FakeControl, run: Run) -> None:
    control.answers["add_node"] = a_node("pc", memory_bytes=24 * 2**30, tags=["gpu"])
    result = run(
        *("node", "add", "pc", "http://pc:8080", "http://pc:8081", "--kind", "openai", "--slots", "4"),
        *("--memory", "24GiB", "--tag", "gpu", "--tag", "loud", "--cidr", "10.0.0.0/8", "--insecure"),
        *("--header", "X-Team=a=b"),
    )
    assert result.code == 0
    assert control.calls == [
        (
            "add_node",
            AddNode(
                name="pc",
                urls=["http://pc:8080", "http://pc:8081"],
                kind="openai",
                headers={"X-Team": "a=b"},
                slots=4,
                memory_bytes=24 * 2**30,
                tags=["gpu", "loud"],
                cidrs=["10.0.0.0/8"],
                insecure=True,
            ),
        )
    ]
    assert "pc: healthy; memory 25.8 GB; tags gpu" in result.out
    assert "pc: ollama 0.33.0 at http://pc.local:11434" in result.out
    assert result.err == ""


def test_add_alone_leaves_everything_to_halext(control: FakeControl, run: Run) -> None:
    control.answers["add_node"] = a_node()
    assert run("node", "add", "mac", "http://mac:11434").code == 0
    assert control.calls == [("add_node", AddNode(name="mac", urls=["http://mac:11434"]))]


def test_a_header_value_can_be_piped_in(control: FakeControl, run: Run) -> None:
    control.answers["add_node"] = a_node()
    result = run("node", "add", "mac", "http://mac:1", "--header", "Authorization=-", stdin="Bearer hush\n")
    assert result.code == 0
    assert control.calls[0][1].headers == {"Authorization": "Bearer hush"}
    assert "hush" not in result.out + result.err


@pytest.mark.parametrize("header", ["hush", "=hush", "Authorization="])
def test_a_wrong_header_is_not_repeated(control: FakeControl, run: Run, header: str) -> None:
    result = run("node", "add", "mac", "http://mac:1", "--header", header)
    assert result.code == 2
    assert "A header is NAME=VALUE" in result.err
    assert "hush" not in result.err
    assert control.calls == []


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--kind", "llama", "'llama' is not one of"),
        ("--memory", "lots", "write it like 16GB"),
        ("--slots", "0", "--slots"),
        ("--slots", "many", "--slots"),
    ],
)
def test_a_wrong_option_is_wrong_use(control: FakeControl, run: Run, option: str, value: str, says: str) -> None:
    result = run("node", "add", "mac", "http://mac:1", option, value)
    assert result.code == 2
    assert says in result.err
    assert "Value error" not in result.err
    assert control.calls == []


def test_add_says_so_when_the_node_does_not_work_yet(control: FakeControl, run: Run) -> None:
    down = an_endpoint(status="offline", reason="the connection was refused", models=[], loaded=[])
    control.answers["add_node"] = a_node(status="offline", endpoints=[down])
    result = run("node", "add", "mac", "http://mac:1", "--kind", "ollama")
    assert result.code == 0
    assert "offline (the connection was refused)" in result.out
    assert "models: none seen" in result.out
    assert "`halext node test mac`" in result.err


def test_add_fails_in_one_line(control: FakeControl, run: Run) -> None:
    control.answers["add_node"] = Unreachable("mac refuses the connection.")
    result = run("node", "add", "mac", "http://mac:1")
    assert (result.code, result.out, result.err) == (1, "", "halext: mac refuses the connection.\n")


def test_list_has_a_line_per_endpoint(control: FakeControl, run: Run) -> None:
    away = a_node("pc", cordon="draining", endpoints=[an_endpoint("pc", loaded=[]), an_endpoint("pc/2")])
    sick = a_node("old", endpoints=[an_endpoint("old", status="offline", reason="timed \x1b[31mout")])
    control.answers["list_nodes"] = [a_node(), away, sick]
    lines = run("node", "list").out.splitlines()
    assert len(lines) == 5
    assert lines[1].split()[:5] == ["mac", "healthy", "ollama", "http://mac.local:11434", "1"]
    assert "draining" in lines[2]
    assert "draining" in lines[3]
    assert lines[4].endswith("timed ␛[31mout")


def test_list_of_nothing_says_how_to_begin(control: FakeControl, run: Run) -> None:
    control.answers["list_nodes"] = []
    result = run("node", "list")
    assert (result.code, result.out) == (0, "")
    assert "halext node add mac" in result.err


@pytest.mark.parametrize(("verb", "operation"), [("list", "list_nodes"), ("show", "show_node")])
def test_json_is_for_programs(control: FakeControl, run: Run, verb: str, operation: str) -> None:
    control.answers[operation] = [a_node()] if verb == "list" else a_node()
    result = run("node", verb, *(["mac"] if verb == "show" else []), "--json")
    told = json.loads(result.out)
    node = told[0] if verb == "list" else told
    assert node["endpoints"][0]["models"] == ["llama3.2:3b"]
    assert result.err == ""


def test_show_has_everything(control: FakeControl, run: Run) -> None:
    control.answers["show_node"] = a_node(cordon_until=0.0, endpoints=[an_endpoint(has_headers=True)])
    result = run("node", "show", "mac")
    assert control.calls == [("show_node", Named(name="mac"))]
    assert "with stored headers" in result.out
    assert "1 of 4 slots taken" in result.out
    assert "in memory: llama3.2:3b" in result.out


def test_an_unknown_node_is_a_failure(control: FakeControl, run: Run) -> None:
    control.answers["show_node"] = UnknownNode()
    result = run("node", "show", "nope")
    assert result.code == 1
    assert result.err == "halext: There is no node of this name; `halext node list` shows all.\n"


REPORT = TrialReport(
    node="mac",
    endpoint="mac",
    ok=False,
    steps=[
        Step(name="connect", ok=True, detail="to 10.0.0.2", seconds=0.012),
        Step(name="auth", ok=False, detail="the key was refused"),
    ],
)


def test_test_names_the_step_that_fails_and_exits_1(control: FakeControl, run: Run) -> None:
    control.answers["try_node"] = [REPORT]
    result = run("node", "test", "mac", "--model", "llama3.2:3b")
    assert control.calls == [("try_node", TryNode(name="mac", model="llama3.2:3b"))]
    assert result.code == 1
    assert result.out.splitlines() == [
        "mac",
        "  ✓ connect      to 10.0.0.2 (12 ms)",
        "  ✗ auth         the key was refused",
    ]


def test_test_exits_0_when_all_is_well(control: FakeControl, run: Run) -> None:
    control.answers["try_node"] = [TrialReport(node="mac", endpoint="mac", ok=True, steps=REPORT.steps[:1])]
    assert run("node", "test", "mac").code == 0


def test_test_keeps_its_exit_code_with_json(control: FakeControl, run: Run) -> None:
    control.answers["try_node"] = [REPORT]
    result = run("node", "test", "mac", "--json")
    assert result.code == 1
    assert json.loads(result.out)[0]["steps"][1]["ok"] is False


@pytest.mark.parametrize(
    ("verb", "says"), [("cordon", "mac gets nothing new"), ("uncordon", "mac takes requests again")]
)
def test_a_persons_decision_is_confirmed(control: FakeControl, run: Run, verb: str, says: str) -> None:
    control.answers[f"{verb}_node"] = a_node()
    result = run("node", verb, "mac")
    assert control.calls == [(f"{verb}_node", Named(name="mac"))]
    assert says in result.out


def test_drain_for_a_while(control: FakeControl, run: Run) -> None:
    control.answers["drain_node"] = a_node(cordon="draining", cordon_until=86_400.0 * 365)
    result = run("node", "drain", "mac", "--for", "1h30m")
    assert control.calls == [("drain_node", DrainNode(name="mac", for_s=5400.0))]
    assert "until 19" in result.out


def test_drain_until_further_notice(control: FakeControl, run: Run) -> None:
    control.answers["drain_node"] = a_node(cordon="draining")
    assert "until `halext node uncordon`" in run("node", "drain", "mac").out
    assert control.calls == [("drain_node", DrainNode(name="mac"))]


def test_drain_for_nonsense_is_wrong_use(control: FakeControl, run: Run) -> None:
    result = run("node", "drain", "mac", "--for", "soon")
    assert result.code == 2
    assert "'soon' is no duration" in result.err


def test_remove_and_unload_say_what_halext_says(control: FakeControl, run: Run) -> None:
    control.answers |= {"remove_node": Done("Forgotten."), "unload_model": Done("Asked.")}
    assert run("node", "remove", "mac").out == "Forgotten.\n"
    assert run("node", "unload", "mac", "llama3.2:3b").out == "Asked.\n"
    assert control.calls == [
        ("remove_node", Named(name="mac")),
        ("unload_model", UnloadModel(name="mac", model="llama3.2:3b")),
    ]


def a_line(host: str = "ai.example.org") -> JoinLine:
    return JoinLine("mac", host, 2222, "ssh-ed25519 AAAA", 1_700_000_000.0, "sh -c 'x'", "ssh-keygen & ssh")


def test_join_prints_a_line_for_every_system(control: FakeControl, run: Run) -> None:
    control.answers["join_node"] = a_line()
    result = run("node", "join", "mac", "--kind", "ollama", "--kind", "openai", "--host", "ai.example.org")
    assert (result.code, result.err) == (0, "")
    assert {"sh -c 'x'", "ssh-keygen & ssh"} <= set(result.out.splitlines())
    params = JoinNode(name="mac", kinds=["ollama", "openai"], host="ai.example.org")
    assert control.calls == [("join_node", params)]


def test_join_says_when_the_line_is_good_on_this_machine_only(control: FakeControl, run: Run) -> None:
    control.answers["join_node"] = a_line("127.0.0.1")
    result = run("node", "join", "mac", "--again")
    assert "HALEXT_PUBLIC_URL" in result.err
    assert control.calls == [("join_node", JoinNode(name="mac", again=True))]
    assert json.loads(run("node", "join", "mac", "--json").out)["unix"] == "sh -c 'x'"


def test_a_node_that_dials_in_shows_no_address(control: FakeControl, run: Run) -> None:
    control.answers["list_nodes"] = [a_node(endpoints=[an_endpoint(via="tunnel")])]
    control.answers["show_node"] = a_node(endpoints=[an_endpoint(via="tunnel")])
    listed, shown = run("node", "list").out, run("node", "show", "mac").out
    assert "dials in" in listed
    assert "through its tunnel" in shown
    assert "http://" not in listed + shown


def test_join_knows_what_can_be_offered(control: FakeControl, run: Run) -> None:
    result = run("node", "join", "mac", "--kind", "llama")
    assert result.code == 2
    assert "'llama' is not one of" in result.err
    assert control.calls == []
