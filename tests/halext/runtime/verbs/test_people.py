from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import AlreadyExists, Conflict, Forbidden, InvalidInput, NotFound, SignInAgain, Unauthenticated
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


async def test_a_token_that_may_manage_people_makes_no_admin_and_becomes_none(app: App, control: LocalControl) -> None:
    for name in ("Ann", "Boss"):
        await control.call(people.add_user, AddUser(name=name, role="admin", password=PASSWORD))
    made = await control.call(people.create_token, CreateToken(name="hr", user="Ann", scopes=["manage-people"]))
    few = LocalControl(app, await app.people.caller_for(made.token))
    await few.call(people.add_user, AddUser(name="Mia"))
    for attempt in (
        few.call(people.add_user, AddUser(name="Eve", role="admin", password=PASSWORD)),
        few.call(people.set_role, SetRole(name="Mia", role="admin")),
        few.call(people.set_password, SetPassword(name="Boss", password="mine from now on")),
        few.call(people.create_token, CreateToken(name="t", user="Boss", scopes=["use"])),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_tokens_say_what_they_carry(app: App, control: LocalControl) -> None:
    await control.call(people.add_user, AddUser(name="Ann", password=PASSWORD))
    ann = LocalControl(app, await signed_in(app, "Ann"))
    await ann.call(people.create_token, CreateToken(name="one"))
    await ann.call(people.create_token, CreateToken(name="two", scopes=["all"]))
    rows = await ann.call(people.list_tokens, Nothing())
    assert [(row.name, row.scopes) for row in rows] == [("two", None), ("one", ["own", "use"])]


async def test_an_old_sign_in_changes_nobodys_rights(app: App, control: LocalControl) -> None:
    old = Caller("Ann", Role.ADMIN, "session", signed_in_at=app.clock.now() - 3601)
    for attempt in (
        LocalControl(app, old).call(people.add_user, AddUser(name="Eve")),
        LocalControl(app, old).call(people.set_role, SetRole(name="Eve", role="admin")),
        LocalControl(app, old).call(people.set_password, SetPassword(name="Eve", password=PASSWORD)),
    ):
        with pytest.raises(SignInAgain):
            await attempt
    await LocalControl(app, old).call(people.list_users, Nothing())
