from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.audit import policy
from halext.errors import InvalidInput


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "token",
        "bot_token",
        "secret",
        "value",
        "code",
        "headers",
        "api_key",
        "apikey",
        "cookie",
    ],
)
def test_names_of_what_nobody_should_read(name: str) -> None:
    assert policy.looks_secret(name)


@pytest.mark.parametrize("name", ["name", "id", "user", "role", "for_s", "tokens", "max_tokens", "model", "node"])
def test_other_names(name: str) -> None:
    assert not policy.looks_secret(name)


@given(st.text(), st.integers(2, 50))
def test_a_text_is_one_line_of_signs(text: str, most: int) -> None:
    shown = policy.plain(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
    shown.encode()  # no half of a surrogate pair, which no database takes
    if text.isprintable() and len(text) <= most:
        assert shown == text


def test_codes_are_shown_and_not_obeyed() -> None:
    assert policy.plain("a\r\nb\x1b[31m\u202e\0", 100) == "a\\r\\nb\\x1b[31m\\u202e\\x00"
    assert policy.plain("x" * 11, 10) == "x" * 9 + "…"
    assert policy.plain("\n" * 10, 10) == "\\n\\n\\n\\n\\…"


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.text(max_size=10), JSON | st.lists(JSON, max_size=40), max_size=30))
def test_details_are_few_and_short(details: dict[str, object]) -> None:
    kept = policy.bounded(details, str)  # type: ignore[arg-type]
    assert len(kept) <= policy.DETAILS_MAX
    for value in kept.values():
        items = value if isinstance(value, list) else [value]
        assert len(items) <= policy.ITEMS_MAX
        assert all(len(item) <= policy.TEXT_MAX for item in items if isinstance(item, str))
    assert json.dumps(kept)


def test_what_is_called_a_secret_is_hidden_and_the_rest_is_scrubbed() -> None:
    kept = policy.bounded(
        {"password": "p", "name": "my hx_key", "tags": ["hx_key", 1]}, lambda t: t.replace("hx_key", "-")
    )
    assert kept == {"password": policy.HIDDEN, "name": "my -", "tags": ["-", 1]}


@pytest.mark.parametrize("limit", [0, -1, policy.PAGE_MAX + 1])
def test_a_page_has_a_size(limit: int) -> None:
    policy.check_limit(1)
    with pytest.raises(InvalidInput):
        policy.check_limit(limit)
