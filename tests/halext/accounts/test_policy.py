"""Rights as a table; names, passwords and addresses by generation."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts import policy
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import Forbidden, HalextError, InvalidInput, SignInAgain
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


NOW = 1_000_000.0
FRESH = replace(ADMIN, signed_in_at=NOW - 60)
STALE = replace(ADMIN, signed_in_at=NOW - policy.FRESH_S)
NAMED = replace(ADMIN, credential="token", scopes=frozenset({P.USE, P.ACCOUNT, P.MANAGE_NODES}))
WHOLE = replace(ADMIN, credential="token")


@pytest.mark.parametrize(
    ("caller", "is_fresh"),
    [
        (LOCAL, True),
        (FRESH, True),
        (STALE, False),
        (replace(FRESH, credential="jwt"), True),
        (replace(STALE, credential="jwt", scopes=frozenset({P.MANAGE_NODES})), False),
        (NAMED, True),
        (replace(NAMED, credential="jwt"), True),
        (replace(NAMED, scopes=frozenset({P.USE})), False),
        (WHOLE, False),
        (replace(ADMIN, credential="link"), False),
        (replace(ADMIN, credential="link", scopes=frozenset({P.MANAGE_NODES})), False),
    ],
)
def test_what_counts_as_fresh(caller: Caller, is_fresh: bool) -> None:
    assert policy.is_fresh(caller, P.MANAGE_NODES, NOW) is is_fresh
    if is_fresh:
        policy.require_fresh(caller, P.MANAGE_NODES, NOW)
    else:
        with pytest.raises(SignInAgain):
            policy.require_fresh(caller, P.MANAGE_NODES, NOW)


DEFAULT = frozenset({P.USE, P.OWN})


@pytest.mark.parametrize(
    ("caller", "owner", "names", "scopes"),
    [
        (MEMBER, Role.MEMBER, None, DEFAULT),
        (FRESH, Role.ADMIN, None, DEFAULT),
        (STALE, Role.ADMIN, None, DEFAULT),
        (LOCAL, Role.GUEST, None, DEFAULT),
        (MEMBER, Role.MEMBER, ["use"], {P.USE}),
        (MEMBER, Role.MEMBER, ["all"], None),
        (STALE, Role.MEMBER, ["all"], None),
        (FRESH, Role.ADMIN, ["all"], None),
        (LOCAL, Role.ADMIN, ["all"], None),
        (FRESH, Role.ADMIN, ["manage-nodes", "use", "public"], {P.USE, P.MANAGE_NODES}),
        (NAMED, Role.ADMIN, ["manage-nodes"], {P.MANAGE_NODES}),
    ],
)
def test_what_a_new_token_carries(
    caller: Caller, owner: Role, names: list[str] | None, scopes: set[Permission] | None
) -> None:
    assert policy.token_scopes(caller, owner, names, NOW) == scopes


@pytest.mark.parametrize(
    ("caller", "owner", "names", "error"),
    [
        (MEMBER, Role.MEMBER, [], InvalidInput),
        (MEMBER, Role.MEMBER, ["public"], InvalidInput),
        (MEMBER, Role.MEMBER, ["everything"], InvalidInput),
        (MEMBER, Role.MEMBER, ["manage-nodes"], Forbidden),
        (FRESH, Role.MEMBER, ["manage-nodes"], InvalidInput),
        (STALE, Role.ADMIN, ["manage-nodes"], SignInAgain),
        (STALE, Role.ADMIN, ["all"], SignInAgain),
        (WHOLE, Role.ADMIN, ["manage-nodes"], SignInAgain),  # a token that names nothing can't make one that does
        (WHOLE, Role.ADMIN, ["all"], SignInAgain),
        (NAMED, Role.ADMIN, ["all"], Forbidden),
        (NAMED, Role.ADMIN, ["manage-people"], Forbidden),
        (NAMED, Role.ADMIN, None, Forbidden),  # it may not read its owner's own things, so no token of it does
    ],
)
def test_a_credential_makes_no_stronger_one(
    caller: Caller, owner: Role, names: list[str] | None, error: type[HalextError]
) -> None:
    with pytest.raises(error):
        policy.token_scopes(caller, owner, names, NOW)


@given(
    st.sampled_from(Role),
    st.sampled_from(Role),
    st.none() | st.frozensets(st.sampled_from(P)),
    st.none() | st.lists(st.sampled_from([*P, "all"])),
)
def test_whatever_is_asked_no_token_is_stronger_than_its_maker(
    role: Role, owner: Role, scopes: frozenset[Permission] | None, names: list[str] | None
) -> None:
    maker = Caller("m", role, "token", UserId(1), scopes=scopes)
    try:
        made = policy.token_scopes(maker, owner, names, NOW)
    except HalextError:
        return
    child = Caller("o", owner, "token", UserId(2), scopes=made)
    assert policy.rights(child) - {P.PUBLIC} <= policy.rights(maker)


@pytest.mark.parametrize("few", [frozenset({P.MANAGE_PEOPLE}), frozenset(P) - {P.MANAGE_KEYS}])
def test_nobody_makes_more_of_others_than_they_are(few: frozenset[Permission]) -> None:
    policy.require_role(ADMIN, Role.ADMIN)
    for role in (Role.MEMBER, Role.GUEST):
        policy.require_role(replace(ADMIN, scopes=few), role)
    for caller in (MEMBER, replace(ADMIN, scopes=few)):
        with pytest.raises(Forbidden, match="makes someone admin"):
            policy.require_role(caller, Role.ADMIN)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, None, None),
        (None, DEFAULT, DEFAULT),
        (DEFAULT, None, DEFAULT),
        (DEFAULT, frozenset({P.USE, P.ACCOUNT}), {P.USE}),
        (DEFAULT, frozenset(), set()),
    ],
)
def test_what_is_in_both(
    one: frozenset[Permission] | None, other: frozenset[Permission] | None, both: set[Permission] | None
) -> None:
    assert policy.narrowed(one, other) == both


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
