from __future__ import annotations

import pytest

from halext.testing.models import FakeModel, as_models, same_name, tagged


@pytest.mark.parametrize(
    ("name", "full"),
    [("m", "m:latest"), ("m:3b", "m:3b"), ("host:5000/m", "host:5000/m:latest"), ("hf.co/a/b:Q4", "hf.co/a/b:Q4")],
)
def test_a_missing_tag_means_latest(name: str, full: str) -> None:
    assert tagged(name) == full


@pytest.mark.parametrize(
    ("one", "other", "same"), [("m", "M:latest", True), ("m:3B", "m:3b", True), ("m", "m:3b", False)]
)
def test_names_of_one_model(one: str, other: str, *, same: bool) -> None:
    assert same_name(one, other) is same


def test_a_digest_is_bare_hex_and_follows_the_name() -> None:
    assert FakeModel("m").digest == FakeModel("m:latest").digest != FakeModel("n").digest
    assert len(bytes.fromhex(FakeModel("m").digest)) == 32
    assert FakeModel("m", digest="abc").digest == "abc"


def test_a_name_stands_for_a_model() -> None:
    given = FakeModel("b", family="gemma")
    assert as_models(["a", given]) == [FakeModel("a"), given]


@pytest.mark.parametrize(
    ("model", "single"),
    [
        (FakeModel("m"), False),
        (FakeModel("m", capabilities=("embedding",)), True),
        (FakeModel("m", family="qwen35moe"), True),
    ],
)
def test_which_models_serve_one_request_at_a_time(model: FakeModel, *, single: bool) -> None:
    assert model.is_single_slot is single
