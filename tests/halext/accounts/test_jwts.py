"""What a JWT must say, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import warnings
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts import jwts
from halext.accounts.jwts import LEEWAY_S, LIFE_S, Claims, Jwts, is_one, signing_key
from halext.accounts.types import Permission
from halext.errors import InvalidSetting, Unauthenticated
from halext.types import UserId

NOW = 1_800_000_000.5
KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
ADA = UserId(7)
GOOD: dict[str, Any] = {
    "iss": "halext",
    "aud": "halext",
    "sub": "7",
    "jti": "j",
    "iat": NOW,
    "exp": NOW + LIFE_S,
    "sid": "d" * 64,
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """PyJWT warns of the short key that a test signs with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.warnings.InsecureKeyLengthWarning)
        yield


def signed(
    claims: dict[str, Any], key: Any = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def test_what_was_made_is_read() -> None:
    text, expires_at = Jwts([KEY]).make(ADA, "token", "d" * 64, frozenset({Permission.USE}), NOW)
    assert is_one(text)
    expected = Claims(ADA, "token", "d" * 64, NOW, NOW + LIFE_S, frozenset({Permission.USE}))
    assert Jwts([KEY]).read(text, NOW) == expected
    assert expires_at == NOW + LIFE_S
    assert "d" * 64 not in repr(expected)


def test_without_scopes_it_carries_what_its_source_does() -> None:
    assert Jwts([KEY]).read(signed(GOOD), NOW).scopes is None
    assert Jwts([KEY]).read(signed(GOOD), NOW).source == "session"


def test_no_two_are_alike() -> None:
    made = {Jwts([KEY]).make(ADA, "session", "d", None, NOW)[0] for _ in range(20)}
    assert len(made) == 20


def test_older_keys_go_on_reading_and_the_newest_signs() -> None:
    before, _ = Jwts([KEY]).make(ADA, "session", "d", None, NOW)
    rotated = Jwts([OTHER, KEY])
    assert rotated.read(before, NOW).user_id == ADA
    after, _ = rotated.make(ADA, "session", "d", None, NOW)
    assert Jwts([OTHER]).read(after, NOW).user_id == ADA
    with pytest.raises(Unauthenticated):
        Jwts([KEY]).read(after, NOW)


def test_a_process_without_a_key_has_one_of_its_own() -> None:
    text, _ = Jwts().make(ADA, "session", "d", None, NOW)
    with pytest.raises(Unauthenticated):
        Jwts().read(text, NOW)


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in GOOD),
        {"iss": "other"},
        {"aud": "other"},
        {"aud": ["halext", "other"]},
        {"sub": 7},
        {"sub": "ada"},
        {"exp": "soon"},
        {"exp": True},
        {"exp": NOW - LEEWAY_S},
        {"exp": NOW + 24 * 3600},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"iat": NOW + LEEWAY_S + 1, "exp": NOW + LIFE_S},
        {"iat": "now"},
        {"nbf": NOW + LEEWAY_S + 1},
        {"jti": 5},
        {"tid": "both"},
        {"sid": 5},
        {"scope": "everything"},
        {"scope": ["use"]},
    ],
)
def test_claims_that_are_not_ours_are_refused(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in (GOOD | change).items() if value is not None}
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    mark = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256").sign(header + b"." + body, KEY)
    text = b".".join([header, body, base64.urlsafe_b64encode(mark).rstrip(b"=")]).decode()
    with pytest.raises(Unauthenticated):
        Jwts([KEY]).read(text, NOW)


@pytest.mark.parametrize("now", [NOW - LEEWAY_S, NOW + LIFE_S + LEEWAY_S - 1])
def test_clocks_may_be_apart_a_little(now: float) -> None:
    assert Jwts([KEY]).read(signed(GOOD), now).user_id == ADA


@pytest.mark.parametrize(
    "headers", [{"kid": "../../dev/null"}, {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jku": "http://evil"}, {"typ": "at"}]
)
def test_a_header_has_nothing_to_say(headers: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        Jwts([KEY]).read(signed(GOOD, headers=headers), NOW)


@pytest.mark.parametrize(
    "text",
    [
        signed(GOOD, OTHER),
        signed(GOOD, None, "none"),
        signed(GOOD, KEY + KEY, "HS512"),
        signed(GOOD)[:-1] + "A",
        signed(GOOD) + "." + signed(GOOD),
        "eyJ..",
        "eyJ." + "A" * 3000 + ".",
        base64.urlsafe_b64encode(b'{"a":' + b"[" * 1400).decode().rstrip("=") + "..",
    ],
)
def test_what_we_did_not_sign_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        Jwts([KEY]).read(text, NOW)
    assert caught.value.__cause__ is None


@given(st.text(alphabet="eyJhbGci.{}[]\"'-_= \x00é", max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(Unauthenticated):
        Jwts([KEY]).read("eyJ" + text, NOW)


@pytest.mark.parametrize("keys", [[b"short!"], [KEY, b"x" * 31]])
def test_a_short_key_stops_the_start(keys: list[bytes]) -> None:
    with pytest.raises(InvalidSetting, match="at least 32"):
        Jwts(keys)


@pytest.mark.parametrize("master", ["", "no base64!", base64.urlsafe_b64encode(b"x" * 31).decode()])
def test_a_short_master_key_gives_none(master: str) -> None:
    with pytest.raises(InvalidSetting, match="fewer than 32"):
        signing_key(master)


def test_the_signing_key_is_another_than_the_master_key_and_always_the_same() -> None:
    master = base64.urlsafe_b64encode(KEY).decode()
    assert signing_key(master) == signing_key(master) != KEY
    assert len(signing_key(master)) == 32
    assert signing_key(base64.urlsafe_b64encode(OTHER).decode()) != signing_key(master)


@pytest.mark.parametrize("text", ["", "hx_" + "a" * 43, "eyJ", "eyJ.a", "a.b.c", "eyJ.é.c"])
def test_what_is_none(text: str) -> None:
    assert not is_one(text)


async def test_the_library_is_loaded_off_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loop_thread = []

    def watched() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loop_thread.append(False)
        else:
            loop_thread.append(True)

    monkeypatch.setattr(jwts, "_library", watched)
    made = Jwts()
    await made.ready()
    await made.ready()
    assert loop_thread == [False]
