from __future__ import annotations

from dataclasses import replace

import pytest

from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput, NotFound
from halext.runtime.acting import acting_for, may
from halext.runtime.app import App


async def person(app: App, name: str, role: Role = Role.MEMBER) -> Caller:
    user = await app.people.add_user(name, role)
    return Caller(user.name, user.role, "session", user.id)


async def test_everyone_acts_for_themselves(app: App) -> None:
    ann = await person(app, "Ann", Role.ADMIN)
    await person(app, "Bob")
    assert await acting_for(app, ann, None) is ann
    assert await acting_for(app, ann, "aNN") is ann
    answers = []
    for name in ("Bob", "Nobody"):
        with pytest.raises(NotFound) as failure:
            await acting_for(app, ann, name)
        answers.append(failure.value.message)
    assert answers[0] == answers[1]  # who else there is stays unsaid


async def test_the_owner_of_the_machine_says_for_whom(app: App) -> None:
    with pytest.raises(InvalidInput, match="--user NAME"):
        await acting_for(app, LOCAL, None)
    ann = await person(app, "Ann")
    assert await acting_for(app, LOCAL, None) == replace(LOCAL, name="Ann", user_id=ann.user_id)
    bob = await person(app, "Bob")
    with pytest.raises(InvalidInput, match="--user NAME"):
        await acting_for(app, LOCAL, None)
    assert (await acting_for(app, LOCAL, "bob")).user_id == bob.user_id
    with pytest.raises(NotFound, match="halext user list"):
        await acting_for(app, LOCAL, "Eve")


@pytest.mark.parametrize("name", [None, "Ann"])
async def test_who_is_nobody_acts_for_nobody(app: App, name: str | None) -> None:
    await person(app, "Ann")
    for caller in (Caller("stranger", Role.GUEST, "house"), Caller("halext", Role.ADMIN, "house")):
        with pytest.raises(Forbidden):
            await acting_for(app, caller, name)


@pytest.mark.parametrize(
    ("role", "permission", "is_allowed"),
    [
        (Role.GUEST, Permission.USE, True),
        (Role.MEMBER, Permission.MANAGE_NODES, False),
        (Role.ADMIN, Permission.MANAGE_NODES, True),
    ],
)
def test_the_role_says_what_one_may(role: Role, permission: Permission, is_allowed: bool) -> None:
    assert may(Caller("Ann", role, "link"), permission) is is_allowed
