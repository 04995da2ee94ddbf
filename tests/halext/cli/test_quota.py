from __future__ import annotations

import json
from typing import Any

import pytest

from halext.runtime.shapes import Nothing
from halext.runtime.shapes_quotas import QuotaInfo, QuotaOf, SetQuota
from tests.halext.cli.conftest import FakeControl, Run

ANN = QuotaInfo(
    kind="user",
    subject="Ann",
    requests_per_minute=10,
    tokens_per_day=50_000,
    images_per_day=None,
    gpu_seconds_per_day=600,
    own=[],
)
NONE = dict.fromkeys(("requests_per_minute", "tokens_per_day", "images_per_day", "gpu_seconds_per_day"))


@pytest.mark.parametrize(
    ("words", "operation", "params"),
    [
        ((), "list_quotas", Nothing()),
        (("Ann",), "show_quota", QuotaOf(kind="user", subject="Ann")),
        (("--role", "guest"), "show_quota", QuotaOf(kind="role", subject="guest")),
        (("Ann", "--default"), "clear_quota", QuotaOf(kind="user", subject="Ann")),
        (("--workspace", "7", "--none"), "set_quota", SetQuota(kind="workspace", subject="7", **NONE)),
        (
            ("Ann", "--tokens-per-day", "200,000", "--images-per-day", "none"),
            "set_quota",
            SetQuota(kind="user", subject="Ann", tokens_per_day=200_000, images_per_day=None),
        ),
        (
            ("Ann", "--requests-per-minute", "3", "--gpu-seconds-per-day", "0"),
            "set_quota",
            SetQuota(kind="user", subject="Ann", requests_per_minute=3, gpu_seconds_per_day=0),
        ),
    ],
)
def test_what_is_asked(control: FakeControl, run: Run, words: tuple[str, ...], operation: str, params: Any) -> None:
    control.answers[operation] = [ANN] if operation == "list_quotas" else ANN
    result = run("user", "quota", *words)
    assert result.code == 0, result.err
    assert control.calls == [(operation, params)]
    assert result.out.splitlines()[1].split() == ["Ann", "10", "50,000", "none", "600"]


def test_as_json(control: FakeControl, run: Run) -> None:
    control.answers["show_quota"] = ANN
    (row,) = json.loads(run("user", "quota", "Ann", "--json").out)
    assert (row["tokens_per_day"], row["images_per_day"]) == (50_000, None)


@pytest.mark.parametrize(
    "words",
    [
        ("--none",),
        ("--tokens-per-day", "5"),
        ("Ann", "--none", "--default"),
        ("Ann", "--none", "--tokens-per-day", "5"),
        ("Ann", "--role", "guest"),
        ("Ann", "--tokens-per-day", "many"),
    ],
)
def test_what_makes_no_sense(control: FakeControl, run: Run, words: tuple[str, ...]) -> None:
    assert run("user", "quota", *words).code != 0
    assert control.calls == []
