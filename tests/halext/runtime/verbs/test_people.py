from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL, Caller
from halext.errors import AlreadyExists, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddUser, CreateToken, Nothing, RevokeToken, SetDisabled, SetPassword, SetRole
from halext.runtime.verbs import people

PASSWORD = "correct horse battery"


async def signed_in(app: App, name: str) -> Caller:
    session, _ = await app.people.sign_in(name, PASSWORD)
    return await app.people.caller_for(session)


async def test_people_come_change_and_go(app: App, control: LocalControl) -> None:
    await control.call(people.add_user, AddUser(name="Ann", role="admin", password=PASSWORD))
    await control.call(people.add_user, AddUser(name="Bob", password=PASSWORD))
    with pytest.raises(AlreadyExists):
        await control.call(people.add_user, AddUser(name="bob"))
    assert [(u.name, u.role) for u in await control.call(people.list_users, Nothing())] == [
        ("Ann", "admin"),
        ("Bob", "member"),
    ]
    assert (await control.call(people.set_role, SetRole(name="Bob", role="guest"))).role == "guest"
    with pytest.raises(Conflict):
        await control.call(people.set_role, SetRole(name="Ann", role="member"))
    bob = await signed_in(app, "Bob")
    assert (await LocalControl(app, bob).call(people.who_am_i, Nothing())).role == "guest"
    await control.call(people.set_disabled, SetDisabled(name="Bob"))
    with pytest.raises(Unauthenticated):
        await signed_in(app, "Bob")
    await control.call(people.set_disabled, SetDisabled(name="Bob", disabled=False))
    await control.call(people.set_password, SetPassword(name="Bob", password="another good one"))
    with pytest.raises(Unauthenticated):
        await signed_in(app, "Bob")
    with pytest.raises(NotFound):
        await control.call(people.set_role, SetRole(name="nobody", role="guest"))


async def test_tokens_belong_to_their_owner(app: App, control: LocalControl) -> None:
    for name in ("Ann", "Bob"):
        await control.call(people.add_user, AddUser(name=name, password=PASSWORD))
    ann, bob = [LocalControl(app, await signed_in(app, name)) for name in ("Ann", "Bob")]
    made = await ann.call(people.create_token, CreateToken(name="laptop", expires_in_s=3600))
    assert made.token.startswith("hx_")
    assert (await app.people.caller_for(made.token)).name == "Ann"
    assert [row.name for row in await ann.call(people.list_tokens, Nothing())] == ["laptop"]
    assert await bob.call(people.list_tokens, Nothing()) == []
    with pytest.raises(NotFound):
        await bob.call(people.revoke_token, RevokeToken(id=made.info.id))
    await ann.call(people.revoke_token, RevokeToken(id=made.info.id))
    with pytest.raises(Unauthenticated):
        await app.people.caller_for(made.token)


async def test_the_owner_of_the_machine_makes_tokens_for_others(app: App, control: LocalControl) -> None:
    await control.call(people.add_user, AddUser(name="Ann"))
    made = await control.call(people.create_token, CreateToken(name="bot", user="Ann"))
    assert made.info.owner == "Ann"
    with pytest.raises(InvalidInput, match="--user"):
        await LocalControl(app, LOCAL).call(people.create_token, CreateToken(name="bot"))


async def test_members_do_not_manage_people(app: App, control: LocalControl) -> None:
    await control.call(people.add_user, AddUser(name="Bob", password=PASSWORD))
    bob = LocalControl(app, await signed_in(app, "Bob"))
    with pytest.raises(Forbidden):
        await bob.call(people.add_user, AddUser(name="Eve", role="admin"))
    with pytest.raises(Forbidden):
        await bob.call(people.list_users, Nothing())
