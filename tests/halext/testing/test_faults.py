from __future__ import annotations

import pytest

from halext.testing.faults import FaultKind, Faults, Step

CHAT = "/api/chat"


def kinds(faults: Faults, path: str = CHAT, model: str = "m", *, works: bool = True) -> list[str]:
    return [fault.kind for fault in faults.take(path, model, works=works).at("head", 2)]


def test_a_fault_strikes_as_often_as_it_was_ordered() -> None:
    faults = Faults()
    faults.at("head", "error")
    faults.at(2, "reset", times=2)
    assert kinds(faults) == ["error", "reset"]
    assert kinds(faults) == ["reset"]
    assert kinds(faults) == []


def test_times_none_means_always_until_it_is_cleared() -> None:
    faults = Faults()
    faults.at("head", "error", times=None)
    assert [kinds(faults) for _ in range(3)] == [["error"]] * 3
    faults.clear()
    assert kinds(faults) == []


def test_probes_do_not_use_up_what_is_meant_for_work() -> None:
    faults = Faults()
    faults.at("head", "error")
    assert kinds(faults, "/api/tags", "", works=False) == []
    assert kinds(faults) == ["error"]


def test_a_path_and_a_model_can_be_chosen() -> None:
    faults = Faults()
    faults.at("head", "stall", path="/api/ps")
    faults.at("head", "error", model="n")
    assert kinds(faults) == []
    assert kinds(faults, "/api/ps", "", works=False) == ["stall"]
    assert kinds(faults, model="N:latest") == ["error"]


def test_loads_and_connections_take_only_their_own() -> None:
    faults = Faults()
    faults.at("load", "oom", model="m")
    faults.at("connect", "stall")
    faults.at("connect", "reset")
    assert kinds(faults) == []
    assert faults.take_load("n") is None
    fault = faults.take_load("m")
    assert fault is not None
    assert fault.kind == "oom"
    assert faults.take_load("m") is None
    assert [faults.take_connection() for _ in range(3)] == ["silent", "reset", "serve"]


@pytest.mark.parametrize(("step", "kind"), [("load", "reset"), ("connect", "error")])
def test_what_can_not_be_is_refused(step: Step, kind: FaultKind) -> None:
    with pytest.raises(ValueError, match="can fail by"):
        Faults().at(step, kind)
