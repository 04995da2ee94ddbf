"""Credentials made by chance."""

from __future__ import annotations

import hashlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts import tokens

PURPOSES: tuple[tokens.Purpose, ...] = get_args(tokens.Purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_each_purpose_is_recognised(purpose: tokens.Purpose) -> None:
    made = {tokens.make(purpose) for _ in range(100)}
    assert len(made) == 100
    assert {tokens.purpose_of(credential) for credential in made} == {purpose}


def test_an_api_token_looks_as_promised() -> None:
    token = tokens.make("token")
    assert token.startswith("hx_")
    assert len(token) == 3 + 43  # 256 bits in base64
    assert len(tokens.hint(token)) == 8
    assert token.startswith(tokens.hint(token))


def test_the_whole_token_is_digested() -> None:
    token = tokens.make("token")
    assert tokens.digest(token) == hashlib.sha256(token.encode()).hexdigest()


@given(st.text())
def test_what_is_not_ours_is_not_looked_up(text: str) -> None:
    assert tokens.purpose_of(text) is None


@pytest.mark.parametrize("text", ["hx_", "hx_" + "a" * 42, "hx_" + "a" * 44, "HX_" + "a" * 43, "hx_" + "é" * 43])
def test_a_near_miss_is_not_looked_up(text: str) -> None:
    assert tokens.purpose_of(text) is None
