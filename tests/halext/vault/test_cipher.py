"""Sealing: round trips, keys, and what must not open."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import logging
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import InvalidSetting, WrongKey
from halext.types import SecretRef, UserId
from halext.vault.cipher import Cipher, key_id, new_key, parse_keys, weakness
from halext.vault.types import Label, Sealed, SecretKind

MAC = Label(SecretRef("node/mac"), None, SecretKind.NODE)
# Fixed, because they name test cases.
OLD, NEW = (base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode() for text in (b"old", b"new"))
OTHERS = [
    Label(SecretRef("node/pc"), None, SecretKind.NODE),
    Label(SecretRef("node/mac"), UserId(1), SecretKind.NODE),
    Label(SecretRef("node/mac"), None, SecretKind.WEBHOOK),
]


def sealed_as_before(key: str, ref: str, value: str) -> Sealed:
    """A row of a version without data keys."""
    text = Fernet(key).encrypt(json.dumps({"ref": ref, "value": value}).encode()).decode()
    return Sealed(text, None, key_id(key))


labels = st.builds(
    Label,
    st.text(min_size=1).map(SecretRef),
    st.none() | st.integers(min_value=1).map(UserId),
    st.sampled_from(SecretKind),
)


@given(label=labels, value=st.text())
def test_what_is_sealed_opens_again(label: Label, value: str) -> None:
    cipher = Cipher([NEW])
    sealed = cipher.seal(label, value)
    assert cipher.open(label, sealed) == value
    assert len(value) < 8 or value not in sealed.text


def test_every_secret_has_a_data_key_of_its_own() -> None:
    one, two = (Cipher([NEW]).seal(MAC, "secret") for _ in range(2))
    with pytest.raises(WrongKey):
        Cipher([NEW]).open(MAC, replace(one, data_key=two.data_key))


def test_the_newest_key_seals_and_the_older_ones_open() -> None:
    sealed = Cipher([OLD]).seal(MAC, "secret")
    both = Cipher([NEW, OLD])
    assert both.open(MAC, sealed) == "secret"
    assert Cipher([NEW]).open(MAC, both.seal(MAC, "secret")) == "secret"
    assert both.key_id == Cipher([NEW]).key_id == key_id(NEW) != Cipher([OLD]).key_id
    assert both.key_ids == {key_id(NEW), key_id(OLD)}


def test_rewrapping_leaves_the_value_alone_and_needs_the_old_key_no_more() -> None:
    before = Cipher([OLD]).seal(MAC, "secret")
    after = Cipher([NEW, OLD]).rewrap(MAC, before)
    assert (after.text, after.key_id) == (before.text, key_id(NEW))
    assert Cipher([NEW]).open(MAC, after) == "secret"
    with pytest.raises(WrongKey):
        Cipher([OLD]).open(MAC, after)


def test_rows_of_before_open_and_get_a_data_key() -> None:
    before = sealed_as_before(OLD, "node/mac", "secret")
    both = Cipher([NEW, OLD])
    assert both.open(MAC, before) == "secret"
    after = both.rewrap(MAC, before)
    assert after.data_key is not None
    assert Cipher([NEW]).open(MAC, after) == "secret"


@pytest.mark.parametrize("label", OTHERS[:2])
def test_rows_of_before_open_for_their_name_in_the_house_only(label: Label) -> None:
    with pytest.raises(WrongKey):
        Cipher([OLD]).open(label, sealed_as_before(OLD, "node/mac", "secret"))


def test_a_data_key_is_no_row_of_before() -> None:
    sealed = Cipher([OLD]).seal(MAC, "secret")
    assert sealed.data_key is not None
    with pytest.raises(WrongKey):
        Cipher([OLD]).open(MAC, Sealed(sealed.data_key, None, sealed.key_id))


def test_a_value_is_no_data_key() -> None:
    sealed = Cipher([OLD]).seal(MAC, "secret")
    with pytest.raises(WrongKey):
        Cipher([OLD]).open(MAC, replace(sealed, data_key=sealed_as_before(OLD, "node/mac", "secret").text))


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(WrongKey, match="node/mac"):
        Cipher([NEW]).open(MAC, Cipher([OLD]).seal(MAC, "secret"))


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("parts", [("data_key",), ("text",), ("data_key", "text")])
def test_what_is_moved_to_another_name_owner_or_purpose_does_not_open(other: Label, parts: tuple[str, ...]) -> None:
    cipher = Cipher([NEW])
    mine, theirs = cipher.seal(MAC, "secret"), cipher.seal(other, "another")
    moved = replace(theirs, **{part: getattr(mine, part) for part in parts})
    with pytest.raises(WrongKey):
        cipher.open(other, moved)


def test_the_binding_holds_even_where_the_data_key_is_the_same() -> None:
    cipher, (other, *_) = Cipher([NEW]), OTHERS
    sealed = cipher.seal(MAC, "secret")
    key = Fernet(NEW).decrypt(sealed.data_key or "")
    forged = Fernet(NEW).encrypt(json.dumps(json.loads(key) | {"for": [other.ref, None, "node"]}).encode()).decode()
    with pytest.raises(WrongKey, match="another one"):
        cipher.open(other, replace(sealed, data_key=forged))


@pytest.mark.parametrize("part", ["text", "data_key"])
@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_an_altered_row_does_not_open(part: str, position: int, flip: int) -> None:
    cipher = Cipher([NEW])
    sealed = cipher.seal(MAC, "secret")
    raw = bytearray(base64.urlsafe_b64decode(getattr(sealed, part)))
    raw[position % len(raw)] ^= flip
    with pytest.raises(WrongKey):
        cipher.open(MAC, replace(sealed, **{part: base64.urlsafe_b64encode(raw).decode()}))


RUBBISH = ["", "no token", "\N{SNOWMAN}"]


@pytest.mark.parametrize(("text", "data_key"), list(itertools.product(RUBBISH, [None, *RUBBISH])))
def test_rubbish_does_not_open(text: str, data_key: str | None) -> None:
    with pytest.raises(WrongKey):
        Cipher([NEW]).open(MAC, Sealed(text, data_key, key_id(NEW)))


@pytest.mark.parametrize("plain", ["[]", "1", '{"ref": "node/mac"}', '{"ref": "node/mac", "value": 1}', "not json"])
def test_what_was_sealed_by_another_program_does_not_open(plain: str) -> None:
    text = Fernet(NEW).encrypt(plain.encode()).decode()
    for sealed in (Sealed(text, None, ""), replace(Cipher([NEW]).seal(MAC, "x"), data_key=text)):
        with pytest.raises(WrongKey):
            Cipher([NEW]).open(MAC, sealed)


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


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"correct horse battery staple 123", "typed"),
        (bytes(range(100, 228, 4)), "row of numbers"),
        (bytes(range(255, 223, -1)), "row of numbers"),
        (hashlib.sha256(b"x").digest()[:16] * 2, "repeats"),
        (base64.urlsafe_b64decode("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="), "documentation"),
    ],
)
def test_keys_that_are_taken_but_can_be_guessed(raw: bytes, says: str) -> None:
    key = base64.urlsafe_b64encode(raw).decode()
    parse_keys(key)
    assert says in (weakness(key) or "")


def test_a_new_key_is_a_good_key() -> None:
    for _ in range(200):
        (key,) = parse_keys(new_key())
        assert weakness(key) is None


def test_nothing_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cipher = Cipher([NEW])
    sealed = cipher.seal(MAC, "hush-hush")
    with pytest.raises(WrongKey) as caught:
        cipher.open(OTHERS[0], sealed)
    shown = f"{cipher!r} {sealed!r} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    for hidden in ("hush-hush", NEW, sealed.text, str(sealed.data_key)):
        assert hidden not in shown
