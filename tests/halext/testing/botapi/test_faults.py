from __future__ import annotations

from halext.testing.botapi.faults import CallFault, CallFaults


def test_the_nth_call_from_now_and_those_after_it() -> None:
    faults = CallFaults()
    faults.at("sendMessage", nth=2, times=2, status=500, text="x")
    struck = [faults.take(method) for method in ("getMe", "sendMessage", "SENDMESSAGE", "sendMessage", "sendMessage")]
    assert struck == [[], [], [CallFault(500, "x")], [CallFault(500, "x")], []]


def test_any_method_and_several_at_once() -> None:
    faults = CallFaults()
    faults.at("*", delay_s=1)
    faults.at("getMe", cut="after")
    assert faults.take("getMe") == [CallFault(delay_s=1), CallFault(cut="after")]
    faults.at("*", status=500)
    faults.clear()
    assert faults.take("getMe") == []
