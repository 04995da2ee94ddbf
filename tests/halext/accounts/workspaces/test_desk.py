from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.accounts.workspaces.desk import Workspaces
from halext.accounts.workspaces.types import WorkspaceRole
from halext.errors import Forbidden, InvalidInput, UnknownWorkspace
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock


@dataclass
class Town:
    desk: Workspaces
    ann: Caller
    ben: Caller
    gus: Caller
    ada: Caller
    looked: list[int] = field(default_factory=list)


@pytest.fixture
async def town(scope: Scope) -> Town:
    people, looked = PeopleStore(scope), list[int]()
    roles = {"Ann": Role.MEMBER, "Ben": Role.MEMBER, "Gus": Role.GUEST, "Ada": Role.ADMIN}
    users = [await people.add(name, role, None, 0.0) for name, role in roles.items()]
    ann, ben, gus, ada = [Caller(user.name, user.role, "session", user.id) for user in users]
    made = Town(Workspaces(scope, ManualClock(), lambda: looked.append(1)), ann, ben, gus, ada, looked)
    await made.desk.create(made.ann, " Family ")
    return made


async def test_guests_make_none_and_may_be_in_one(town: Town) -> None:
    with pytest.raises(Forbidden):
        await town.desk.create(town.gus, "guests")
    await town.desk.add(town.ann, "family", "Gus", WorkspaceRole.VIEWER)
    assert [each.workspace.name for each in await town.desk.mine(town.gus)] == ["Family"]


async def test_a_name_can_be_shown(town: Town) -> None:
    for name in ("", "a\nb", "x" * 65, "a\0"):
        with pytest.raises(InvalidInput):
            await town.desk.create(town.ann, name)
        with pytest.raises(InvalidInput):
            await town.desk.rename(town.ann, "family", name)


async def test_whoever_follows_is_looked_at_again_when_access_may_have_ended(town: Town) -> None:
    await town.desk.add(town.ann, "family", "Ben", WorkspaceRole.MEMBER)
    await town.desk.rename(town.ann, "family", "home")
    assert town.looked == []
    await town.desk.set_role(town.ann, "home", "Ben", WorkspaceRole.OWNER)
    await town.desk.dismiss(town.ada, "home", "Ann")
    await town.desk.appoint(town.ada, "home", "Ann")
    await town.desk.remove(town.ann, "home", "Ben")
    await town.desk.delete(town.ann, "home")
    assert len(town.looked) == 4


async def test_on_whose_account(town: Town) -> None:
    await town.desk.add(town.ann, "family", "Gus", WorkspaceRole.VIEWER)
    (standing,) = await town.desk.mine(town.ann)
    asking = await town.desk.on_behalf(town.ann, "FAMILY")
    assert (asking.workspace, asking.user_id) == (standing.workspace.id, town.ann.user_id)
    with pytest.raises(Forbidden, match="viewer"):
        await town.desk.on_behalf(town.gus, "family")
    for caller, name in ((town.ben, "family"), (town.ada, "family"), (town.ann, "nowhere"), (LOCAL, "family")):
        with pytest.raises(UnknownWorkspace) as refused:
            await town.desk.on_behalf(caller, name)
        assert refused.value.message == UnknownWorkspace().message


async def test_managing_people_is_no_right_to_see_what_is_inside(town: Town) -> None:
    assert [workspace.name for workspace, _ in await town.desk.everyones(town.ada)] == ["Family"]
    with pytest.raises(UnknownWorkspace):
        await town.desk.people(town.ada, "family")
    with pytest.raises(Forbidden, match="themselves"):
        await town.desk.appoint(town.ada, "family", "Ada")
    narrow = Caller("Ada", Role.ADMIN, "token", town.ada.user_id, frozenset({Permission.OWN}))
    for caller in (town.ann, narrow):
        with pytest.raises(Forbidden):
            await town.desk.everyones(caller)
        with pytest.raises(Forbidden):
            await town.desk.appoint(caller, "family", "Ben")
        with pytest.raises(Forbidden):
            await town.desk.dismiss(caller, "family", "Ann")


async def test_those_without_an_account_have_none(town: Town) -> None:
    with pytest.raises(InvalidInput, match="for people"):
        await town.desk.mine(LOCAL)
