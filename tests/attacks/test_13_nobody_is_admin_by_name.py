"""Becoming admin by being called like one, by looking like one, or by having the first number."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from halext.accounts.types import LOCAL, Role
from halext.errors import AlreadyExists
from halext.storage.scope import Scope as Storage
from tests.web.conftest import House, OpenHouse

PASSWORD = "correct horse"
TEMPTING = ["scawful", "SCAWFUL", "sсawful", "scawfu1", "s\u0441awful", "admin", "Administrator", "root", "owner", "1"]


async def as_admin(house: House, name: str) -> int:
    """What somebody of that name gets when they try to be one."""
    async with house.client({"Origin": house.url}) as client:
        await client.post("/hx/session", json={"name": name, "password": PASSWORD})
        assert (await client.get("/hx/me")).json()["role"] == "member"
        statuses = {
            (await client.get("/hx/admin/users")).status_code,
            (await client.put(f"/hx/admin/users/{name}/role", json={"role": "admin"})).status_code,
            (await client.post("/hx/admin/invites", json={"role": "admin"})).status_code,
            (await client.get("/hx/keys")).status_code,
        }
    (status,) = statuses
    return status


async def test_a_tempting_name_gives_nothing(house: House) -> None:
    taken = []
    for name in dict.fromkeys(TEMPTING):
        try:
            await house.app.people.add_user(name, Role.MEMBER, PASSWORD)
        except AlreadyExists:
            continue  # the same name in other letters is one name
        taken.append(name)
        assert await as_admin(house, name) == 403, name
    assert len(taken) >= 7


async def test_nor_with_an_invite(house: House) -> None:
    for name in ("scawful", "admin"):
        code = (await house.app.invites.make(LOCAL, Role.MEMBER)).code
        async with house.client({}) as client:
            body = {"code": code, "name": name, "password": PASSWORD}
            answer = await client.post("/hx/invites/claim", json=body | {"role": "admin"})
            assert answer.status_code == 422  # nothing but what is asked for
            assert (await client.post("/hx/invites/claim", json=body)).status_code == 200
        assert await as_admin(house, name) == 403


async def test_the_first_number_gives_nothing(open_house: OpenHouse) -> None:
    house = await open_house(people=False)
    first = await house.app.people.add_user("scawful", Role.MEMBER, PASSWORD)
    assert first.id == 1
    assert await as_admin(house, "scawful") == 403
    assert not await house.app.people.has_admin()


async def test_a_number_that_was_an_admins_gives_nothing(open_house: OpenHouse) -> None:
    house = await open_house(people=False)
    boss = await house.app.people.add_user("Boss", Role.ADMIN, PASSWORD)
    storage = Storage(house.app.database)
    async with storage.write() as session:
        await session.execute(text("DELETE FROM users"))
    assert (await house.app.people.add_user("Eve", Role.MEMBER, PASSWORD)).id != boss.id
    async with storage.write() as session:  # even if somebody restored it by hand
        await session.execute(text(f"UPDATE users SET id = {boss.id}"))
    assert await as_admin(house, "Eve") == 403


@pytest.mark.parametrize("role", ["superadmin", "ADMIN", "Admin", "", "owner"])
async def test_there_is_no_other_role(house: House, role: str) -> None:
    with pytest.raises(IntegrityError):
        async with house.app.database.writer.begin() as connection:
            await connection.execute(text("UPDATE users SET role = :role"), {"role": role})


@pytest.mark.parametrize("field", ["role", "is_admin", "user_id", "id", "scopes_all"])
async def test_who_signs_in_does_not_say_what_they_are(stranger: httpx.AsyncClient, field: str) -> None:
    body = {"name": "Mia", "password": "battery staple", field: "admin"}
    assert (await stranger.post("/hx/session", json=body)).status_code == 422
