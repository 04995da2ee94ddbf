"""Rights as a table; names, passwords and addresses by generation."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts import policy
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput
from halext.types import UserId

GUEST = Caller("guest", Role.GUEST, "session", UserId(3))
MEMBER = Caller("admin", Role.MEMBER, "token", UserId(1))  # neither a name nor an id makes an admin
ADMIN = Caller("ada", Role.ADMIN, "session", UserId(2))
P = Permission
EVERYONE = {P.PUBLIC, P.USE, P.OWN, P.ACCOUNT}


@pytest.mark.parametrize(
    ("caller", "rights"),
    [
        (None, {P.PUBLIC}),
        (GUEST, EVERYONE),
        (MEMBER, EVERYONE),
        (ADMIN, set(P)),
        (LOCAL, set(P)),
        (replace(ADMIN, scopes=frozenset({P.USE, P.MANAGE_NODES})), {P.PUBLIC, P.USE, P.MANAGE_NODES}),
        (replace(MEMBER, scopes=frozenset({P.USE, P.MANAGE_NODES})), {P.PUBLIC, P.USE}),
        (replace(ADMIN, scopes=frozenset()), {P.PUBLIC}),
    ],
)
def test_what_each_role_may_do(caller: Caller | None, rights: set[Permission]) -> None:
    assert {permission for permission in P if policy.allowed(caller, permission)} == rights


def test_a_missing_right_is_named() -> None:
    policy.require(ADMIN, P.MANAGE_KEYS)
    with pytest.raises(Forbidden, match="manage-keys"):
        policy.require(MEMBER, P.MANAGE_KEYS)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Ada", "Ada"),
        ("  Ada Lovelace ", "Ada Lovelace"),
        ("\uff21\uff44\uff41", "Ada"),
        ("Zoe\u0308", "Zoë"),
        ("李小龍", "李小龍"),
        ("🦙", "🦙"),
        ("a" * 64, "a" * 64),
    ],
)
def test_a_name_is_kept_as_people_read_it(name: str, clean: str) -> None:
    assert policy.clean_name(name) == clean


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "a" * 65,
        "\ufb03" * 30,
        "a\nb",
        "a\0b",
        "\u202eevil",
        "a\u2066b",
        "a\u200bb",
        "a\u2028b",
        "\ud800",
        "\x1b[1m",
    ],
)
def test_a_name_that_deceives_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        policy.clean_name(name)


@given(st.text(max_size=80))
def test_a_clean_name_stays_as_it_is_and_fits_its_columns(name: str) -> None:
    try:
        clean = policy.clean_name(name)
    except InvalidInput:
        return
    assert policy.clean_name(clean) == clean
    assert 1 <= len(clean) <= 64
    assert len(policy.name_key(clean)) <= 256
    assert not any(unicodedata.category(character).startswith("C") for character in clean)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=64))
def test_the_same_name_in_other_letters_has_the_same_key(name: str) -> None:
    key = policy.name_key(name)
    for twin in (unicodedata.normalize("NFD", name), unicodedata.normalize("NFKC", name), name.casefold(), f" {name} "):
        assert policy.name_key(twin) == key


@pytest.mark.parametrize(("length", "is_fine"), [(0, False), (9, False), (10, True), (1024, True), (1025, False)])
def test_the_length_of_a_password(length: int, is_fine: bool) -> None:
    if is_fine:
        policy.check_password("x" * length)
    else:
        with pytest.raises(InvalidInput):
            policy.check_password("x" * length)


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one_address(address: str, group: str) -> None:
    assert policy.address_group(address) == group
