from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import automatic1111 as dialect
from halext.dialects.automatic1111 import Checkpoint
from halext.errors import BadAnswer, KeyRefused, ModelMissing, RequestRefused, UpstreamError
from halext.pictures import Progress, Recipe, Started, Step, Waiting
from halext.testing.pictures import draw
from halext.types import ModelName, NodeName, RequestId

JOB, PC = RequestId("1-2"), NodeName("pc")
WISH = Recipe("a lighthouse", model=ModelName("dreamshaper_8"), steps=4, n=2)
LISTED = Checkpoint(
    "sub/dreamshaper_8.safetensors [879db523c3]", "dreamshaper_8", "879db523c3", "879db523c3" + "0" * 54
)
PNG = draw("a", 32, 32)


def answer(images: int = 2, /, **info: Any) -> bytes:
    told = {"all_prompts": ["a lighthouse"] * 2, "all_seeds": [7, 8], "sd_model_hash": LISTED.hash, "steps": 4} | info
    return json.dumps({"images": [base64.b64encode(PNG).decode()] * images, "info": json.dumps(told)}).encode()


def test_the_wish_as_the_server_wants_it() -> None:
    body = json.loads(dialect.txt2img_body(replace(WISH, sampler="Euler a", seed=7, negative="fog"), LISTED, JOB))
    assert body["override_settings"] == {"sd_model_checkpoint": LISTED.title}
    assert (body["seed"], body["n_iter"], body["batch_size"], body["sampler_name"]) == (7, 2, 1, "Euler a")
    assert (body["negative_prompt"], body["force_task_id"]) == ("fog", "halext-1-2")
    assert body["save_images"] is False
    open_wish = json.loads(dialect.txt2img_body(WISH, LISTED, JOB))
    assert open_wish["seed"] == -1
    assert "sampler_name" not in open_wish


def test_pictures_come_with_what_was_really_used() -> None:
    made = dialect.parse_pictures(
        answer(sampler_name="DPM++ 2M", cfg_scale=6, width=640, all_prompts=["a lighthouse, x", "a lighthouse, y"]),
        WISH,
        LISTED,
        PC,
    )
    assert [picture.recipe.seed for picture in made] == [7, 8]
    assert [picture.recipe.prompt for picture in made] == ["a lighthouse, x", "a lighthouse, y"]
    first = made[0]
    assert (first.png, first.node, first.model) == (PNG, "pc", "dreamshaper_8")
    used = first.recipe
    assert (used.sampler, used.cfg, used.width, used.height, used.steps, used.n) == ("DPM++ 2M", 6, 640, 512, 4, 1)


def test_a_grid_is_no_picture() -> None:
    assert len(dialect.parse_pictures(answer(3, index_of_first_image=1), WISH, LISTED, PC)) == 2


@pytest.mark.parametrize(
    "info",
    [{"sd_model_hash": "0123456789"}, {"sd_model_hash": "0123456789", "sd_model_name": "dreamshaper_8"}],
)
def test_another_checkpoint_is_noticed_by_its_hash(info: dict[str, str]) -> None:
    with pytest.raises(ModelMissing, match=r"^pc used .* in place of dreamshaper_8"):
        dialect.parse_pictures(answer(**info), WISH, LISTED, PC)


def test_where_there_is_no_hash_the_name_decides() -> None:
    bare = Checkpoint("dreamshaper_8.safetensors", "dreamshaper_8")
    assert dialect.parse_pictures(answer(sd_model_hash=None, sd_model_name="dreamshaper_8"), WISH, bare, PC)
    assert dialect.parse_pictures(answer(sd_model_hash=None), WISH, LISTED, PC)  # it says nothing: believed
    with pytest.raises(ModelMissing, match="pc used other"):
        dialect.parse_pictures(answer(sd_model_hash="0123456789", sd_model_name="other"), WISH, bare, PC)


def test_what_stands_behind_the_pictures_is_left_out() -> None:
    whole = dialect.parse_pictures(answer(), WISH, LISTED, PC)
    assert dialect.parse_pictures(answer(), replace(WISH, n=1), LISTED, PC) == whole[:1]


@pytest.mark.parametrize(
    ("image", "sentence"),
    [("not base64!", "not base64"), (base64.b64encode(b"\xff\xd8\xff\xe0").decode(), "no PNG files; set .*png")],
)
def test_pictures_that_are_none(image: str, sentence: str) -> None:
    body = json.dumps({"images": [image], "info": "{}"}).encode()
    with pytest.raises(BadAnswer, match=sentence):
        dialect.parse_pictures(body, WISH, LISTED, PC)


@pytest.mark.parametrize(
    ("told", "progress"),
    [
        ({"active": False, "queued": True, "textinfo": "In queue: 2/3"}, Waiting(2)),
        ({"active": False, "queued": True, "textinfo": "somewhere"}, Waiting(None)),
        ({"active": True, "queued": False, "progress": 0, "eta": None}, Started()),
        ({"active": True, "queued": False, "progress": None}, Started()),
        ({"active": True, "queued": False, "progress": 0.5, "eta": 3.0}, Step(4, 8, 3.0)),
        ({"active": True, "queued": False, "progress": 1.5, "eta": -0.1}, Step(8, 8, 0.0)),
        ({"active": True, "queued": False, "progress": -0.5, "eta": None}, Started()),
        ({"active": False, "queued": False, "completed": True, "textinfo": "Waiting..."}, None),
    ],
)
def test_progress(told: dict[str, Any], progress: Progress | None) -> None:
    body = json.dumps(told).encode()
    assert dialect.parse_progress(body, WISH) == progress
    standing = "active" if told["active"] else "queued" if told["queued"] else "unknown"
    assert dialect.parse_standing(body) == standing


def test_lists_and_states() -> None:
    rows = [{"title": LISTED.title, "model_name": "dreamshaper_8", "hash": None, "sha256": None, "config": None}]
    (bare,) = dialect.parse_checkpoints(json.dumps(rows).encode())
    assert dialect.model_info(bare).digest == ""
    info = dialect.model_info(LISTED)
    assert (info.name, info.digest) == ("dreamshaper_8", LISTED.sha256)
    assert info.capabilities == {"image"}
    assert dialect.parse_options(b'{"sd_model_checkpoint": null, "x": 1}') is None
    assert dialect.parse_busy(b'{"progress": 0.01, "state": {"job_count": -1}}')
    assert not dialect.parse_busy(b'{"progress": 0, "state": {"job_count": 0}}')
    with pytest.raises(BadAnswer):
        dialect.parse_options(b'{"version": "0.33"}')


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (404, b'{"detail":"Not Found"}', BadAnswer, "start Stable Diffusion with --api"),
        (401, b'{"detail":"Incorrect username or password"}', KeyRefused, "Incorrect username"),
        (400, b'{"detail":"Sampler not found"}', RequestRefused, "Sampler not found"),
        (422, b'{"detail":[{"loc":["body","steps"],"msg":"x"}]}', RequestRefused, "status 422"),
        (
            500,
            b'{"error":"OutOfMemoryError","errors":"CUDA out of memory. Tried"}',
            BadAnswer,
            "ran out of memory; ask",
        ),
        (500, b'{"error":"RuntimeError","errors":"mat1 and mat2"}', BadAnswer, "failed: mat1 and mat2"),
        (500, b"Internal Server Error", BadAnswer, "status 500"),
    ],
)
def test_failures(status: int, body: bytes, error: type[UpstreamError], sentence: str) -> None:
    found = dialect.parse_failure(status, body)
    assert type(found) is error
    assert sentence in found.message


FIELDS = st.sampled_from(["images", "info", "detail", "errors", "active", "title", "state"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(FIELDS, inner),
)


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_declared_errors_comes_out(body: bytes) -> None:
    for parse in (dialect.parse_checkpoints, dialect.parse_options, dialect.parse_busy, dialect.parse_standing):
        with suppress(UpstreamError):
            parse(body)
    with suppress(UpstreamError):
        dialect.parse_pictures(body, WISH, LISTED, PC)
    assert isinstance(dialect.parse_failure(500, body), UpstreamError)
