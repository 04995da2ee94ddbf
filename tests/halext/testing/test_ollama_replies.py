from __future__ import annotations

import json
import math

from halext.testing.models import FakeModel
from halext.testing.ollama_replies import (
    Voice,
    durations,
    encode,
    line,
    ps_row,
    show_body,
    stream_shape,
    tag_row,
)
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.speech import Piece, Stats

NOW = 1_790_000_000.25
MODEL = FakeModel("m:3b", family="gemma", digest="ab" * 32, size_bytes=10)


def test_a_chat_line_and_a_generate_line() -> None:
    stamp = "2026-09-21T14:13:20.250000123Z"
    chat = Voice("m", is_chat=True).part(Piece("Hi", "hm"), NOW)
    assert chat == {
        "model": "m",
        "created_at": stamp,
        "message": {"role": "assistant", "content": "Hi", "thinking": "hm"},
        "done": False,
    }
    generate = Voice("m", is_chat=False).part(Piece(), NOW)
    assert generate == {"model": "m", "created_at": stamp, "response": "", "done": False}


def test_the_last_line_leaves_out_what_is_zero() -> None:
    stats = Stats(load_s=0.001, wait_s=0.002, prompt_tokens=9, eval_s=0.003)
    assert durations(stats) == {
        "total_duration": 6_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 9,
        "eval_duration": 3_000_000,
    }
    last = Voice("m", is_chat=True).last(Piece(), NOW, "load")
    assert (last["done"], last["done_reason"]) == (True, "load")
    assert "total_duration" not in last


def test_json_is_compact_and_keeps_letters() -> None:
    assert encode({"a": "é", "b": [1]}) == '{"a":"é","b":[1]}'.encode()
    assert line({}) == b"{}\n"


def test_a_row_of_tags() -> None:
    row = tag_row(MODEL, NOW, modern=True)
    assert (row["name"], row["model"], row["digest"], row["size"]) == ("m:3b", "m:3b", "ab" * 32, 10)
    assert row["modified_at"] == "2026-09-21T16:13:20.250000456+02:00"
    assert row["details"]["families"] == ["gemma"]
    assert row["details"]["context_length"] == 131_072
    assert row["capabilities"] == ["completion", "tools"]
    older = tag_row(MODEL, NOW, modern=False)
    assert "capabilities" not in older
    assert "context_length" not in older["details"]


def test_a_row_of_ps() -> None:
    runner = Runner(MODEL, RunnerOptions(8192), server_ctx=4096, slots=1, keep_alive_s=math.inf)
    runner.vram_bytes = 7
    row = ps_row(runner, NOW, says_context=True)
    assert (row["size"], row["size_vram"], row["context_length"]) == (10, 7, 8192)
    assert "context_length" not in ps_row(runner, NOW, says_context=False)


def test_show_tells_all() -> None:
    body = show_body(MODEL, NOW)
    assert body["model_info"]["general.architecture"] == "gemma"
    assert body["model_info"]["gemma.context_length"] == 131_072
    assert body["parameters"] == ""


def test_faults_speak_in_the_routes_own_shape() -> None:
    shape = stream_shape(Voice("m", is_chat=False), NOW, failure_status=400)
    assert json.loads(shape.filler("xx"))["response"] == "xx"
    assert shape.error_line(500, "no") == b'{"error":"no"}\n'
    assert shape.error_body(500, "no") == b'{"error":"no"}'
    assert shape.failure_status == 400
