"""Sealing: round trips, keys, and what must not open."""

from __future__ import annotations

import base64
import hashlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import InvalidSetting, WrongKey
from halext.types import SecretRef
from halext.vault.cipher import Cipher, new_key, parse_keys

REF = SecretRef("node/mac")
OTHER = SecretRef("node/pc")
# Fixed, because they name test cases.
OLD, NEW = (base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode() for text in (b"old", b"new"))


@given(ref=st.text(min_size=1), value=st.text())
def test_what_is_sealed_opens_again(ref: str, value: str) -> None:
    cipher = Cipher([NEW])
    sealed = cipher.seal(SecretRef(ref), value)
    assert cipher.open(SecretRef(ref), sealed) == value
    assert len(value) < 8 or value not in sealed


def test_the_newest_key_seals_and_the_older_ones_open() -> None:
    sealed = Cipher([OLD]).seal(REF, "secret")
    both = Cipher([NEW, OLD])
    assert both.open(REF, sealed) == "secret"
    assert Cipher([NEW]).open(REF, both.seal(REF, "secret")) == "secret"
    assert both.key_id == Cipher([NEW]).key_id != Cipher([OLD]).key_id


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(WrongKey, match="node/mac"):
        Cipher([NEW]).open(REF, Cipher([OLD]).seal(REF, "secret"))


def test_a_swapped_row_does_not_open() -> None:
    cipher = Cipher([NEW])
    with pytest.raises(WrongKey, match="another name"):
        cipher.open(OTHER, cipher.seal(REF, "secret"))


@given(position=st.integers(min_value=0, max_value=99), flip=st.integers(min_value=1, max_value=255))
def test_an_altered_row_does_not_open(position: int, flip: int) -> None:
    cipher = Cipher([NEW])
    raw = bytearray(base64.urlsafe_b64decode(cipher.seal(REF, "secret")))
    raw[position % len(raw)] ^= flip
    with pytest.raises(WrongKey):
        cipher.open(REF, base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("sealed", ["", "no token", "\N{SNOWMAN}"])
def test_rubbish_does_not_open(sealed: str) -> None:
    with pytest.raises(WrongKey):
        Cipher([NEW]).open(REF, sealed)


def test_keys_come_as_a_comma_list_newest_first() -> None:
    assert parse_keys(f" {NEW},\n{OLD}, ") == (NEW, OLD)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" , ", "empty"),
        ("secret-secret", "Key 1"),
        (NEW[:-8], "32 bytes"),
        (f"{NEW},{OLD[:-4]}", "Key 2"),
        ("\N{SNOWMAN}" * 44, "32 bytes"),
        (base64.urlsafe_b64encode(b"\0" * 32).decode(), "no random key"),
        (base64.urlsafe_b64encode(b"passwordpasswordpasswordpassword").decode(), "no random key"),
    ],
)
def test_a_weak_or_broken_key_is_refused_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says) as caught:
        parse_keys(text)
    for key in filter(None, text.replace(" ", "").split(",")):
        assert key not in caught.value.message


def test_a_new_key_is_a_good_key() -> None:
    for _ in range(200):
        parse_keys(new_key())


def test_nothing_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cipher = Cipher([NEW])
    with pytest.raises(WrongKey) as caught:
        cipher.open(OTHER, cipher.seal(REF, "hush-hush"))
    shown = f"{cipher!r} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert "hush-hush" not in shown
    assert NEW not in shown
