"""Names, purposes, and which uses are noted."""

from __future__ import annotations

import pytest

from halext.errors import InvalidInput
from halext.types import SecretRef, UserId
from halext.vault import policy
from halext.vault.types import SecretKind


@pytest.mark.parametrize(
    ("ref", "owner", "kind"),
    [
        ("discord", None, SecretKind.BOT),
        ("telegram", None, SecretKind.BOT),
        ("node/mac/headers", None, SecretKind.NODE),
        ("webhook/slack", None, SecretKind.WEBHOOK),
        ("openai", None, SecretKind.PROVIDER),
        ("node", None, SecretKind.PROVIDER),
        ("personal/x", None, SecretKind.PROVIDER),
        ("discord", 1, SecretKind.PERSONAL),
        ("node/mac/headers", 1, SecretKind.PERSONAL),
    ],
)
def test_the_name_says_what_it_is_for(ref: str, owner: int | None, kind: SecretKind) -> None:
    assert policy.kind_of(SecretRef(ref), None if owner is None else UserId(owner)) is kind


@pytest.mark.parametrize("ref", ["", "a" * 256, "line\nbreak", "nul\0", "\u202eevil"])
def test_a_name_must_be_readable(ref: str) -> None:
    with pytest.raises(InvalidInput):
        policy.check(SecretRef(ref), "value")


@pytest.mark.parametrize("value", ["", "canary" * 10_000])
def test_a_value_is_neither_nothing_nor_a_document_and_is_not_repeated(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        policy.check(SecretRef("x"), value)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(("last", "now", "is_noted"), [(None, 0, True), (0, 3599, False), (0, 3600, True)])
def test_the_first_use_is_noted_and_then_one_an_hour(last: float | None, now: float, is_noted: bool) -> None:
    assert policy.is_noted(last, now) is is_noted
