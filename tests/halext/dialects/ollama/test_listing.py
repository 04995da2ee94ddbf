from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.ollama import listing
from halext.errors import BadAnswer
from halext.types import Capability, ModelName
from halext.upstream import ModelDetails, ModelInfo, RunningModel

TAG: dict[str, Any] = {
    "name": "llama3.2:3b",
    "model": "llama3.2:3b",
    "modified_at": "2026-08-01T10:00:00.123456789+02:00",
    "size": 2_000_000_000,
    "digest": "a80c4f17acd5",
    "details": {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "3.2B",
        "quantization_level": "Q4_K_M",
        "context_length": 131_072,
    },
    "capabilities": ["completion", "tools", "audio"],
}
INFO = ModelInfo(
    name=ModelName("llama3.2:3b"),
    digest="a80c4f17acd5",
    size_bytes=2_000_000_000,
    family="llama",
    parameter_size="3.2B",
    quantization="Q4_K_M",
    context_length=131_072,
    capabilities=frozenset({"chat", "tools"}),
    modified_at="2026-08-01T10:00:00.123456789+02:00",
)


def encoded(*models: dict[str, Any]) -> bytes:
    return json.dumps({"models": models}).encode()


def test_tags() -> None:
    assert listing.parse_tags(encoded(TAG)) == (INFO,)


def test_older_versions_say_less() -> None:
    old = {"name": "m", "size": None, "details": None}
    assert listing.parse_tags(encoded(old)) == (ModelInfo(ModelName("m")),)
    assert listing.parse_tags(b'{"models":null}') == listing.parse_tags(b"{}") == ()


@pytest.mark.parametrize("mark", ["remote_host", "remote_model"])
def test_models_of_the_cloud_are_left_out(mark: str) -> None:
    assert listing.parse_tags(encoded({**TAG, mark: "elsewhere"}, TAG)) == (INFO,)


@pytest.mark.parametrize("capability", get_args(Capability))
def test_every_model_can_be_listed(capability: Capability) -> None:
    """Also one that paints: a node with Stable Diffusion must not break the list for everybody."""
    (written,) = json.loads(listing.tags_body([replace(INFO, capabilities=frozenset({capability}))]))["models"]
    assert len(written["capabilities"]) == 1


def test_ps() -> None:
    running = {
        **TAG,
        "size_vram": 1_500_000_000,
        "expires_at": "2318-01-01T00:00:00.123456789+02:00",
        "context_length": 4096,
    }
    wanted = RunningModel(
        name=ModelName("llama3.2:3b"),
        digest="a80c4f17acd5",
        size_bytes=2_000_000_000,
        vram_bytes=1_500_000_000,
        expires_at="2318-01-01T00:00:00.123456789+02:00",
        context_length=4096,
    )
    assert listing.parse_ps(encoded(running)) == (wanted,)
    assert listing.parse_ps(encoded({"model": "m"})) == (RunningModel(ModelName("m")),)


def test_show() -> None:
    body = {
        "template": "{{ .Prompt }}",
        "parameters": 'stop "x"',
        "license": "MIT",
        "modelfile": "FROM x",
        "details": TAG["details"] | {"context_length": 0},
        "model_info": {"general.architecture": "llama", "llama.context_length": 8192, "llama.rope": None},
        "capabilities": ["completion", "vision", "thinking", "insert"],
    }
    found = listing.parse_show(json.dumps(body).encode(), ModelName("m"))
    assert found.info == ModelInfo(
        name=ModelName("m"),
        family="llama",
        parameter_size="3.2B",
        quantization="Q4_K_M",
        context_length=8192,
        capabilities=frozenset({"chat", "vision", "thinking", "insert"}),
    )
    assert (found.template, found.parameters, found.license) == ("{{ .Prompt }}", 'stop "x"', "MIT")
    assert (found.modelfile, found.model_info) == ("FROM x", body["model_info"])


def test_an_embedding_model() -> None:
    found = listing.parse_show(b'{"capabilities":["embedding"]}', ModelName("m"))
    assert found == ModelDetails(ModelInfo(ModelName("m"), capabilities=frozenset({"embed"})))


def test_a_description_that_is_too_deep_to_pass_on() -> None:
    bomb = b'{"model_info":{"a":' + b"[" * 200 + b"]" * 200 + b"}}"
    with pytest.raises(BadAnswer, match="deeply"):
        listing.parse_show(bomb, ModelName("m"))


def test_version() -> None:
    assert listing.parse_version(b'{"version":"0.33.0"}') == "0.33.0"
    with pytest.raises(BadAnswer):
        listing.parse_version(b"{}")


@given(st.binary())
def test_no_bytes_raise_anything_but_bad_answer(body: bytes) -> None:
    for parse in (listing.parse_tags, listing.parse_ps, listing.parse_version):
        with suppress(BadAnswer):
            parse(body)
    with suppress(BadAnswer):
        listing.parse_show(body, ModelName("m"))


texts = st.text(min_size=1)
infos = st.builds(
    ModelInfo,
    name=texts.map(ModelName),
    digest=texts,
    size_bytes=st.integers(0),
    family=st.text(),
    parameter_size=st.text(),
    quantization=st.text(),
    context_length=st.integers(0),
    capabilities=st.frozensets(st.sampled_from(["chat", "embed", "vision", "tools", "thinking", "insert"])),
    modified_at=texts,
)


@given(st.lists(infos, max_size=5).map(tuple))
def test_models_come_back_from_tags(models: tuple[ModelInfo, ...]) -> None:
    assert listing.parse_tags(listing.tags_body(models)) == models


running = st.builds(
    RunningModel,
    name=texts.map(ModelName),
    digest=st.text(),
    size_bytes=st.integers(0),
    vram_bytes=st.integers(0),
    expires_at=texts,
    context_length=st.integers(0),
)


@given(st.lists(running, max_size=5).map(tuple))
def test_models_come_back_from_ps(models: tuple[RunningModel, ...]) -> None:
    assert listing.parse_ps(listing.ps_body(models)) == models


def test_clients_always_find_times_they_can_parse() -> None:
    tags = json.loads(listing.tags_body([ModelInfo(ModelName("m"))]))
    ps = json.loads(listing.ps_body([RunningModel(ModelName("m"))]))
    assert tags["models"][0]["modified_at"] == "1970-01-01T00:00:00Z"
    assert ps["models"][0]["expires_at"] == "2318-01-01T00:00:00Z"


def test_details_come_back_from_show() -> None:
    info = ModelInfo(
        name=ModelName("m"),
        family="llama",
        parameter_size="3B",
        quantization="Q4",
        context_length=4096,
        capabilities=frozenset({"chat"}),
        modified_at="2026-08-01T10:00:00Z",
    )
    details = ModelDetails(info, "{{ .Prompt }}", 'stop "x"', "MIT", "FROM x", {"a.b": [1, None]})
    assert listing.parse_show(listing.show_body(details), ModelName("m")) == details


def test_version_comes_back() -> None:
    assert listing.parse_version(listing.version_body("0.33.0")) == "0.33.0"
