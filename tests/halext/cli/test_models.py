from __future__ import annotations

import json
from typing import Any

from halext.runtime.shapes import ModelPlace, ModelRow
from tests.halext.cli.conftest import FakeControl, Run


def place(node: str, **changed: Any) -> ModelPlace:
    fields = {"endpoint": node, "available": True, "loaded": True, "digest": "", "tokens_per_s": None}
    return ModelPlace(node=node, **{**fields, **changed})


ROWS = [
    ModelRow(
        name="llama3.2:3b",
        size_bytes=2_000_000_000,
        parameter_size="3.2B",
        quantization="Q4_K_M",
        context_length=8192,
        capabilities=["chat"],
        builtin=False,
        places=[place("pc", tokens_per_s=41.7), place("mac", loaded=False), place("mac", endpoint="mac/2")],
    ),
    ModelRow(
        name="mistral",
        size_bytes=0,
        parameter_size="",
        quantization="",
        context_length=0,
        capabilities=[],
        builtin=False,
        places=[place("pc", available=False)],
    ),
]


def test_models_by_nodes(control: FakeControl, run: Run) -> None:
    control.answers["list_models"] = ROWS
    result = run("models")
    titles, llama, mistral = result.out.splitlines()
    assert titles.split() == ["MODEL", "SIZE", "PARAMETERS", "MAC", "PC"]
    columns = [titles.index(title) for title in ("SIZE", "PARAMETERS", "MAC", "PC")]
    cells = [llama[start:end].strip() for start, end in zip([0, *columns], [*columns, None], strict=True)]
    assert cells == ["llama3.2:3b", "2.0 GB", "3.2B Q4_K_M", "cold / warm", "warm, 42 tokens/s"]
    cells = [mistral[start:end].strip() for start, end in zip([0, *columns], [*columns, None], strict=True)]
    assert cells == ["mistral", "-", "", "-", "away"]


def test_models_as_json(control: FakeControl, run: Run) -> None:
    control.answers["list_models"] = ROWS
    told = json.loads(run("models", "--json").out)
    assert [row["name"] for row in told] == ["llama3.2:3b", "mistral"]
    assert told[0]["places"][0]["tokens_per_s"] == 41.7


def test_no_model_says_where_to_look(control: FakeControl, run: Run) -> None:
    control.answers["list_models"] = []
    result = run("models")
    assert (result.code, result.out) == (0, "")
    assert "halext node list" in result.err
