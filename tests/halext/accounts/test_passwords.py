"""Hashes: right and wrong, how many at once, and that time tells nothing."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from halext.accounts.passwords import AT_ONCE, Passwords

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(time_cost=1, memory_kib=8)


async def test_right_and_wrong(passwords: Passwords) -> None:
    kept = await passwords.hash(PASSWORD)
    assert PASSWORD not in kept
    assert kept != await passwords.hash(PASSWORD)  # salted
    assert await passwords.verify(PASSWORD, kept) == (True, None)
    assert await passwords.verify(PASSWORD + "!", kept) == (False, None)
    assert await passwords.verify("", kept) == (False, None)


async def test_any_text_may_be_tried(passwords: Passwords) -> None:
    kept = await passwords.hash("\ud800 \0 🦙")
    assert await passwords.verify("\ud800 \0 🦙", kept) == (True, None)
    assert await passwords.verify("\ud801", kept) == (False, None)


@pytest.mark.parametrize("kept", ["", "plain text", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_broken_hash_opens_nothing(passwords: Passwords, kept: str) -> None:
    assert await passwords.verify(PASSWORD, kept) == (False, None)


async def test_an_outdated_hash_gets_a_better_one(passwords: Passwords) -> None:
    stronger = Passwords(time_cost=2, memory_kib=16)
    kept = await passwords.hash(PASSWORD)
    is_right, better = await stronger.verify(PASSWORD, kept)
    assert is_right
    assert better is not None
    assert await stronger.verify(PASSWORD, better) == (True, None)
    assert await stronger.verify("wrong", kept) == (False, None)


async def test_the_parameters_are_the_ones_we_mean() -> None:
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in await Passwords().hash(PASSWORD)


async def test_an_unknown_name_costs_the_same_work(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = await passwords.hash(PASSWORD)
    checked: list[str] = []
    verify = passwords._hasher.verify_and_update

    def watch(password: bytes, stored: str) -> tuple[bool, str | None]:
        checked.append(stored)
        return verify(password, stored)

    monkeypatch.setattr(passwords._hasher, "verify_and_update", watch)
    assert await passwords.verify(PASSWORD, kept) == (True, None)
    assert await passwords.verify(PASSWORD, None) == (False, None)
    assert len(checked) == 2
    assert checked[0].split("$")[1:4] == checked[1].split("$")[1:4]  # the same algorithm and parameters


async def test_no_password_opens_an_account_without_one(passwords: Passwords) -> None:
    await passwords.verify("", None)
    passwords._nobody = await passwords.hash(PASSWORD)
    assert await passwords.verify(PASSWORD, None) == (False, None)


async def test_a_flood_waits_in_line(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = SimpleNamespace(now=0, most=0)
    lock, full = threading.Lock(), threading.Event()

    def slow_hash(_password: bytes) -> str:
        with lock:
            gauge.now += 1
            gauge.most = max(gauge.most, gauge.now)
            if gauge.now == AT_ONCE:
                full.set()
        assert full.wait(10)  # each of the first ones stays until all slots are taken
        with lock:
            gauge.now -= 1
        return "hash"

    monkeypatch.setattr(passwords._hasher, "hash", slow_hash)
    assert await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(20))) == ["hash"] * 20
    assert gauge.most == AT_ONCE
