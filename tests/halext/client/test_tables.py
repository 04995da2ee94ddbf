"""Tables: as text, as HTML in which nothing is alive, and as frames."""

from __future__ import annotations

import sys

import pytest

from halext.client.tables import SHOWN, Explanation, Models, Nodes, as_html, as_text
from halext.errors import MissingExtra, UnknownModel, UnknownNode
from halext.runtime.shapes import ChoiceInfo, EndpointInfo, EstimateInfo, ModelPlace, ModelRow, NodeInfo


def node(name: str = "mac", *, cordon: str = "open", latency_s: float | None = 0.012) -> NodeInfo:
    endpoint = EndpointInfo(
        id=name,
        kind="ollama",
        url="http://mac:11434",
        status="healthy",
        reason="",
        since=0.0,
        slots=4,
        in_flight=1,
        version="0.33.0",
        models=["m:1b", "n:2b"],
        loaded=["m:1b"],
        latency_s=latency_s,
        last_seen_at=None,
        has_headers=False,
    )
    status = "healthy" if cordon == "open" else cordon
    return NodeInfo(
        name=name,
        status=status,
        cordon=cordon,
        cordon_until=None,
        builtin=False,
        memory_bytes=None,
        tags=[],
        endpoints=[endpoint],
    )


def model(name: str = "m:1b") -> ModelRow:
    return ModelRow(
        name=name,
        size_bytes=1_300_000_000,
        parameter_size="1B",
        quantization="Q4_0",
        context_length=4096,
        capabilities=["chat"],
        builtin=False,
        places=[
            ModelPlace(node="mac", endpoint="mac", available=True, loaded=True, digest="d", tokens_per_s=41.27),
            ModelPlace(node="pc", endpoint="pc", available=False, loaded=False, digest="d", tokens_per_s=None),
        ],
    )


CHOICE = ChoiceInfo(
    model="m:1b",
    chosen="mac",
    sentence="mac: 1.0 s — chose mac",
    estimates=[
        EstimateInfo(
            node="mac",
            endpoint="mac",
            finish_s=1.0,
            first_token_s=0.5,
            can_start=True,
            terms={"load": 0.25},
            reason="warm",
        )
    ],
    rejected={"pc": "offline <now>"},
)


def test_nodes() -> None:
    nodes = Nodes([node(), node("pc", cordon="draining", latency_s=None)])
    assert len(nodes) == 2
    assert nodes["pc"].name == "pc"
    assert [each.name for each in nodes] == ["mac", "pc"]
    assert repr(nodes).splitlines() == [
        "node  kind    status    models  loaded  busy  slots  latency_ms  reason",
        "mac   ollama  healthy        2  m:1b       1      4        12.0",
        "pc    ollama  draining       2  m:1b       1      4",
    ]
    with pytest.raises(UnknownNode, match="'nas'"):
        nodes["nas"]


def test_models() -> None:
    models = Models([model()])
    assert [(row["node"], row["loaded"], row["tokens_per_s"]) for row in models.rows()] == [
        ("mac", True, 41.3),
        ("pc", False, None),
    ]
    assert models["m:1b"].size_bytes == 1_300_000_000
    with pytest.raises(UnknownModel, match="'x'"):
        models["x"]


def test_explanation() -> None:
    explanation = Explanation(CHOICE)
    assert (explanation.node, explanation.model, str(explanation)) == ("mac", "m:1b", CHOICE.sentence)
    assert explanation.rows()[0]["load_s"] == 0.25
    assert explanation.rows()[1] == {"node": "pc", "reason": "offline <now>"}
    bundle = explanation._repr_mimebundle_()
    assert bundle["text/plain"].startswith(CHOICE.sentence)
    assert "offline &lt;now&gt;" in bundle["text/html"]


def test_frames() -> None:
    frame = Models([model()]).df
    assert list(frame["node"]) == ["mac", "pc"]
    assert frame["tokens_per_s"].isna().tolist() == [False, True]


def test_frames_need_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[notebook\]'"):
        Nodes([node()]).df  # noqa: B018 - looking is the test


def test_names_from_elsewhere_are_text() -> None:
    rows = [{"<i>": "<script>alert(1)</script>", "x": "a\x1b[31m\nb"}]
    assert "<script>" not in as_html(rows)
    assert "<i>" not in as_html(rows)
    assert "\x1b" not in as_text(rows)
    assert len(as_text(rows).splitlines()) == 2


def test_long_tables_show_head_and_tail() -> None:
    rows = [{"n": number} for number in range(1000)]
    assert len(as_text(rows).splitlines()) == SHOWN + 2
    assert as_text(rows).splitlines()[-1].strip() == "999"
    assert as_html(rows).count("<tr>") == SHOWN + 2
    assert len(as_html(rows)) < 100_000


def test_nothing_to_show() -> None:
    assert repr(Nodes([])) == "(none)"
    assert Nodes([])._repr_mimebundle_()["text/html"] == "<p>(none)</p>"
