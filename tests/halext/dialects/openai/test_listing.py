from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.openai import listing
from halext.errors import BadAnswer
from halext.types import ModelName
from halext.upstream import ModelInfo


def encoded(*models: dict[str, Any]) -> bytes:
    return json.dumps({"object": "list", "data": models}).encode()


def test_llamacpp() -> None:
    model = {"id": "qwen.gguf", "owned_by": "llamacpp", "meta": {"size": 5, "n_ctx_train": 8192, "n_params": 1}}
    wanted = ModelInfo(
        ModelName("qwen.gguf"), size_bytes=5, context_length=8192, capabilities=frozenset({"chat", "tools"})
    )
    assert listing.parse_models(encoded(model)) == listing.Listed((wanted,), is_resident=True, is_llamacpp=True)


@pytest.mark.parametrize(
    ("owners", "is_resident", "is_llamacpp"),
    [
        (["vllm"], True, False),
        (["sglang", "vllm"], True, False),
        (["llamacpp", "somebody"], False, True),
        (["organization_owner"], False, False),
        ([None], False, False),
        ([], False, False),
    ],
)
def test_who_keeps_its_models_in_memory(owners: list[str | None], *, is_resident: bool, is_llamacpp: bool) -> None:
    found = listing.parse_models(encoded(*({"id": "m", "owned_by": owner} for owner in owners)))
    assert (found.is_resident, found.is_llamacpp) == (is_resident, is_llamacpp)


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("text-embedding-3-small", {"embed"}),
        ("nomic-Embed", {"embed"}),
        ("gpt-4o", {"chat", "tools"}),
    ],
)
def test_what_a_model_can_do_is_guessed_from_its_name(name: str, can: set[str]) -> None:
    assert listing.parse_models(encoded({"id": name})).models[0].capabilities == can


def test_vllm_says_how_long_a_context_may_be() -> None:
    assert listing.parse_models(encoded({"id": "m", "max_model_len": 4096})).models[0].context_length == 4096


def test_props() -> None:
    body = {
        "total_slots": 4,
        "build_info": "b6000-abc",
        "chat_template": "{{ x }}",
        "modalities": {"vision": True, "audio": False},
        "default_generation_settings": {"n_ctx": 4096, "params": {}},
        "chat_template_caps": {"supports_tools": False, "supports_system_role": True},
    }
    wanted = listing.Props("b6000-abc", 4, 4096, has_vision=True, has_tools=False, template="{{ x }}")
    assert listing.parse_props(json.dumps(body).encode()) == wanted
    assert listing.parse_props(b"{}") == listing.Props()


@pytest.mark.parametrize(
    ("name", "props", "embeds", "can"),
    [
        ("qwen", listing.Props(), False, {"chat", "tools"}),
        ("qwen", listing.Props(has_vision=True, has_tools=False), True, {"chat", "vision", "embed"}),
        ("nomic-embed", listing.Props(), True, {"embed"}),
        ("nomic-embed", listing.Props(has_vision=True), False, set()),
    ],
)
def test_what_llamacpp_says_counts_more_than_a_name(
    name: str, props: listing.Props, *, embeds: bool, can: set[str]
) -> None:
    guessed = listing.parse_models(encoded({"id": name, "meta": {"n_ctx_train": 8192}})).models[0]
    assert listing.with_props(guessed, props, embeds=embeds).capabilities == can
    assert listing.with_props(guessed, props, embeds=embeds).context_length == 8192
    assert listing.with_props(guessed, listing.Props(context_length=2048), embeds=embeds).context_length == 2048


def test_slots() -> None:
    assert listing.parse_slots(b'[{"id":0,"is_processing":true},{"id":1,"is_processing":false},{"id":2}]') == (3, 1)
    assert listing.parse_slots(b"[]") == (0, 0)


@given(st.binary())
def test_no_bytes_raise_anything_but_bad_answer(body: bytes) -> None:
    for parse in (listing.parse_models, listing.parse_props, listing.parse_slots):
        with suppress(BadAnswer):
            parse(body)


def test_models_for_clients() -> None:
    models = [ModelInfo(ModelName("a"), modified_at="1970-01-01T01:00:07.123456789+01:00"), ModelInfo(ModelName("b"))]
    wanted = {"id": "a", "object": "model", "created": 7, "owned_by": "halext"}
    assert json.loads(listing.models_body(models)) == {
        "object": "list",
        "data": [wanted, {**wanted, "id": "b", "created": 0}],
    }
    assert json.loads(listing.model_body(models[0])) == wanted


@pytest.mark.parametrize(
    ("time", "created"),
    [("", 0), ("soon", 0), ("0001-01-01T00:00:00+14:00", 0), ("1970-01-01T00:00:07", 7), ("1970-01-01T00:00:07Z", 7)],
)
def test_times(time: str, created: int) -> None:
    assert json.loads(listing.model_body(ModelInfo(ModelName("m"), modified_at=time)))["created"] == created


@given(st.lists(st.text()))
def test_models_come_back(names: list[str]) -> None:
    body = listing.models_body([ModelInfo(ModelName(name)) for name in names])
    assert [model.name for model in listing.parse_models(body).models] == names
