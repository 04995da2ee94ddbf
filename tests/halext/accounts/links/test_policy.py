from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.links import policy
from halext.accounts.links.types import ChatAccount
from halext.errors import InvalidInput

codes = st.text(policy.ALPHABET, min_size=policy.LENGTH, max_size=policy.LENGTH)


def test_nobody_mistakes_one_character_for_another() -> None:
    assert len(set(policy.ALPHABET)) == len(policy.ALPHABET)
    assert not set("01ILOU") & set(policy.ALPHABET)


@given(codes, st.sampled_from([str, str.lower, str.upper]), st.sampled_from(["{}", " {} ", "{}\n", "\t{}"]))
def test_a_code_is_read_as_it_is_shown(code: str, case: type[str], around: str) -> None:
    assert policy.typed(around.format(case(policy.shown(code)))) == code
    assert policy.typed(" ".join(case(code))) == code


@given(st.text())
def test_whatever_is_typed_is_a_code_or_none(text: str) -> None:
    code = policy.typed(text)
    assert code is None or (len(code) == policy.LENGTH and set(code) <= set(policy.ALPHABET))


@pytest.mark.parametrize(
    "text", ["", "-", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFG0", "ABCD_EFGH", "ÀBCD-EFGH", "ABCD-EFGß"]
)
def test_what_is_no_code(text: str) -> None:
    assert policy.typed(text) is None


@pytest.mark.parametrize(("platform", "number"), [("discord", "123456789012345678"), ("telegram", "-5"), ("x", "@a:b")])
def test_accounts_that_can_be_linked(platform: str, number: str) -> None:
    assert policy.check(ChatAccount(platform, number, "Ann")) == ChatAccount(platform, number, "Ann")


@pytest.mark.parametrize(
    ("platform", "number"),
    [
        ("", "1"),
        ("Discord", "1"),
        ("discord:x", "1"),
        ("x" * 17, "1"),
        ("discord\n", "1"),
        ("discord", ""),
        ("discord", "1" * 65),
        ("discord", "a/b"),
        ("discord", "1 2"),
        ("discord", "1\n"),
        ("discord", "\x1b[2J"),
        ("discord", "١"),
    ],
)
def test_what_is_no_chat_account(platform: str, number: str) -> None:
    with pytest.raises(InvalidInput):
        policy.check(ChatAccount(platform, number))


@given(st.text(max_size=300))
def test_names_are_kept_short_and_printable(name: str) -> None:
    kept = policy.check(ChatAccount("discord", "1", name)).name
    assert len(kept) <= policy.NAME_MAX
    assert kept.isprintable()
