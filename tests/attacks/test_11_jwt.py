"""A JWT that the attacker wrote, or rewrote: another algorithm, a header that says how to check it, other claims."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from halext.accounts.jwts import LEEWAY_S, LIFE_S
from halext.errors import InvalidSetting
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from tests.web.conftest import House

PUBLIC_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}


def part(value: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def parsed(text: str) -> dict[str, Any]:
    body = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def forge(header: dict[str, Any], claims: dict[str, Any], key: bytes | None, hashing: str = "sha256") -> str:
    """A JWT by hand: no library stands between the attacker and what is sent."""
    said = part(header) + b"." + part(claims)
    mark = b"" if key is None else hmac.digest(key, said, hashing)
    return (said + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


async def status_of(house: House, jwt: str) -> int:
    async with house.client({"Authorization": f"Bearer {jwt}"}) as client:
        answer = await client.get("/hx/me")
    assert jwt not in answer.text
    if answer.status_code == 401:
        assert answer.json()["code"] == "unauthenticated"
    return answer.status_code


async def good(house: House) -> tuple[str, dict[str, Any], bytes]:
    """A JWT that works, what it says, and the key, which the attacker does not have."""
    async with house.client() as client:
        answer = await client.post("/hx/session", json={"token": True})
    text: str = answer.json()["access_token"]
    return text, parsed(text), house.app.people._jwts._keys[0]


async def test_the_hand_made_one_works_with_the_key_and_so_the_rest_proves_something(house: House) -> None:
    text, claims, key = await good(house)
    assert await status_of(house, text) == 200
    assert await status_of(house, forge(HEADER, claims, key)) == 200


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
async def test_no_signature_at_all(house: House, alg: str) -> None:
    text, claims, key = await good(house)
    for mark in (None, key):
        assert await status_of(house, forge(HEADER | {"alg": alg}, claims, mark)) == 401
    assert await status_of(house, text.rpartition(".")[0] + ".") == 401


async def test_another_algorithm(house: House) -> None:
    _, claims, key = await good(house)
    for alg, hashing in (("HS384", "sha384"), ("HS512", "sha512"), ("RS256", "sha256"), ("ES256", "sha256")):
        assert await status_of(house, forge(HEADER | {"alg": alg}, claims, key, hashing)) == 401, alg


async def test_a_public_key_taken_for_a_secret(house: House) -> None:
    _, claims, _ = await good(house)
    for known in (PEM, b"", b"secret", b"halext", hashlib.sha256(b"halext").digest()):
        assert await status_of(house, forge(HEADER, claims, known)) == 401


@pytest.mark.parametrize(
    "extra",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'x"},
        {"jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")}},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"crit": ["exp"], "exp": 0},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"typ": "JOSE"},
    ],
)
async def test_a_header_that_says_how_to_check_it(house: House, extra: dict[str, Any]) -> None:
    _, claims, key = await good(house)
    for signing in (b"k" * 32, b"", key):
        assert await status_of(house, forge(HEADER | extra, claims, signing)) == 401


@pytest.mark.parametrize("name", ["exp", "iat", "sub", "aud", "iss", "jti", "tid"])
async def test_a_claim_that_is_missing(house: House, name: str) -> None:
    _, claims, key = await good(house)
    del claims[name]
    assert await status_of(house, forge(HEADER, claims, key)) == 401


async def test_claims_of_another_time_place_or_person(house: House) -> None:
    _, claims, key = await good(house)
    now = house.app.clock.now()
    changes: list[dict[str, Any]] = [
        {"aud": "another"},
        {"aud": ["halext", "another"]},
        {"iss": "another"},
        {"exp": now - LEEWAY_S - 1},
        {"exp": now + 10 * 365 * 86_400},
        {"exp": None},
        {"exp": "never"},
        {"iat": now + LEEWAY_S + 60, "exp": now + LIFE_S},
        {"nbf": now + LEEWAY_S + 60},
        {"sub": "1"},  # the admin's number, with the token of another
        {"sub": 2},
        {"sub": None},
        {"tid": "0" * 64},
        {"sid": claims["tid"]},
        {"scope": "everything"},
    ]
    for change in changes:
        assert await status_of(house, forge(HEADER, claims | change, key)) == 401, change


async def test_more_than_a_scope_allows_is_not_had_by_changing_it(house: House) -> None:
    async with house.client() as client:
        made = (await client.post("/hx/session", json={"token": True, "scopes": ["use"]})).json()["access_token"]
    head, _, mark = made.split(".")
    widened = part(parsed(made) | {"scope": "use own account manage-people"}).decode()
    assert await status_of(house, f"{head}.{widened}.{mark}") == 401


@pytest.mark.parametrize("key", [b"sixsix", bytes(range(31))])
async def test_a_short_key_stops_the_start(tmp_path: Path, key: bytes) -> None:
    short = SecretStr(base64.urlsafe_b64encode(key).decode())
    with pytest.raises(InvalidSetting, match="32"):
        async with open_app(Settings(data_dir=tmp_path / "data", port=0, master_key=short)):
            raise AssertionError("it started")
