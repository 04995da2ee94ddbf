"""Who is in a workspace, and what each of its people reaches, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from halext.accounts.store import PeopleStore, UsageStore
from halext.accounts.types import Caller, Role, UsageEntry
from halext.accounts.workspaces.store import AllWorkspaces, MembershipRow, Reach, WorkspaceStore
from halext.accounts.workspaces.types import ALONE, Access, Sharing, WorkspaceRole
from halext.errors import AlreadyExists, Conflict, Forbidden, NotFound, UnknownWorkspace
from halext.storage.scope import Scope
from halext.tasks.store import TaskRow, TaskStore
from halext.tasks.types import Draft, TaskState
from halext.types import ModelName, NodeName, RequestId, UserId

OWNER, MEMBER, VIEWER = WorkspaceRole


@dataclass
class Town:
    """Ann owns the family; Ben is a member, Vic a viewer, Eve a stranger."""

    scope: Scope
    ids: dict[str, UserId]

    def of(self, name: str) -> WorkspaceStore:
        return WorkspaceStore(self.scope, self.ids[name])

    async def roles(self) -> dict[str, str]:
        (_, people) = await self.of("Ann").people("family")
        return {each.name: each.role for each in people}


@pytest.fixture
async def town(scope: Scope) -> Town:
    people = PeopleStore(scope)
    users = [await people.add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Ben", "Vic", "Eve")]
    made = Town(scope, {user.name: user.id for user in users})
    await made.of("Ann").create("Family", 1.0)
    await made.of("Ann").add("family", "ben", MEMBER, 2.0)
    await made.of("Ann").add("family", "Vic", VIEWER, 3.0)
    return made


async def test_who_is_in_it(town: Town) -> None:
    assert await town.roles() == {"Ann": "owner", "Ben": "member", "Vic": "viewer"}
    (standing,) = await town.of("Ben").all()
    assert (standing.workspace.name, standing.role, standing.workspace.created_at) == ("Family", MEMBER, 1.0)
    assert await town.of("Ben").standing("FAMILY") == standing
    assert await town.of("Eve").all() == []


async def test_a_name_is_one_however_it_is_written(town: Town) -> None:
    with pytest.raises(AlreadyExists):
        await town.of("Eve").create("FAMILY", 5.0)
    await town.of("Eve").create("work", 5.0)
    with pytest.raises(AlreadyExists):
        await town.of("Eve").rename("work", "family")
    assert (await town.of("Eve").rename("work", "Werk")).name == "Werk"
    assert [each.workspace.name for each in await town.of("Eve").all()] == ["Werk"]


Act = Callable[[WorkspaceStore], Awaitable[object]]
OF_OWNERS: list[Act] = [
    lambda store: store.add("family", "Eve", MEMBER, 5.0),
    lambda store: store.set_role("family", "Ben", OWNER),
    lambda store: store.remove("family", "Ann"),
    lambda store: store.rename("family", "other"),
    lambda store: store.delete("family"),
    lambda store: store.usage("family", 0.0),
]


@pytest.mark.parametrize("number", range(len(OF_OWNERS)))
async def test_only_owners_decide_and_strangers_know_of_nothing(town: Town, number: int) -> None:
    before = await town.roles()
    for name, error in (("Ben", Forbidden), ("Vic", Forbidden), ("Eve", UnknownWorkspace)):
        with pytest.raises(error) as refused:
            await OF_OWNERS[number](town.of(name))
        if error is UnknownWorkspace:
            assert refused.value.message == UnknownWorkspace().message
    assert await town.roles() == before


@pytest.mark.parametrize("name", ["nowhere", "", "a\0b", "x" * 5000])
async def test_what_is_not_there_is_told_in_the_same_words(town: Town, name: str) -> None:
    for attempt in (
        town.of("Ann").standing(name),
        town.of("Ann").delete(name),
        AllWorkspaces(town.scope).dismiss(name, "x"),
    ):
        with pytest.raises(UnknownWorkspace) as refused:
            await attempt
        assert refused.value.message == UnknownWorkspace().message


async def test_people_who_are_not_there(town: Town) -> None:
    ann = town.of("Ann")
    for attempt in (
        ann.add("family", "Nobody", MEMBER, 1.0),
        ann.set_role("family", "Eve", VIEWER),
        ann.remove("family", "Eve"),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(AlreadyExists):
        await ann.add("family", "BEN", VIEWER, 1.0)


async def test_the_last_owner_stays(town: Town) -> None:
    ann = town.of("Ann")
    for attempt in (ann.set_role("family", "Ann", MEMBER), ann.remove("family", "Ann")):
        with pytest.raises(Conflict, match="last owner"):
            await attempt
    assert (await town.roles())["Ann"] == "owner"
    await ann.set_role("family", "Ben", OWNER)
    await ann.remove("family", "ann")
    with pytest.raises(UnknownWorkspace):
        await ann.standing("family")


async def test_two_owners_who_leave_at_once_are_not_both_gone(town: Town) -> None:
    await town.of("Ann").set_role("family", "Ben", OWNER)
    leaving = [town.of(name).remove("family", name) for name in ("Ann", "Ben")]
    results = await asyncio.gather(*leaving, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]


async def test_everyone_may_leave(town: Town) -> None:
    await town.of("Vic").remove("family", "vic")
    await town.of("Ben").remove("family", "Ben")
    assert await town.roles() == {"Ann": "owner"}


async def test_how_far_each_reaches(town: Town) -> None:
    ann = TaskStore(town.scope, town.ids["Ann"])
    private, shared = await ann.add([Draft("private"), Draft("shared")], TaskState.OPEN, 1.0)
    assert (await ann.share(shared.id, "family")).sharing == Sharing(Access.OWN, "Family", "Ann")
    seen = {}
    for name, person in town.ids.items():
        reach = Reach(TaskRow, TaskRow.owner_id, TaskRow.workspace_id, person)
        async with town.scope.read() as session:
            rows = {row.title: sharing for row, sharing in await reach.all(session, reach.select())}
            writable = set(await session.scalars(select(TaskRow.title).where(reach.writable)))
            assert set(rows) == set(await session.scalars(select(TaskRow.title).where(reach.readable)))
        assert writable == {title for title, sharing in rows.items() if sharing.access >= Access.WRITE}
        seen[name] = {title: sharing.access.name for title, sharing in rows.items()}
    assert seen == {
        "Ann": {"private": "OWN", "shared": "OWN"},
        "Ben": {"shared": "WRITE"},
        "Vic": {"shared": "READ"},
        "Eve": {},
    }
    assert (await ann.share(shared.id, None)).sharing == ALONE
    assert await TaskStore(town.scope, town.ids["Ben"]).all(tuple(TaskState)) == []
    assert private.sharing == ALONE


async def test_nobody_shares_where_they_may_not(town: Town) -> None:
    for name, error in (("Vic", Forbidden), ("Eve", UnknownWorkspace)):
        store = TaskStore(town.scope, town.ids[name])
        (task,) = await store.add([Draft("mine")], TaskState.OPEN, 1.0)
        with pytest.raises(error):
            await store.share(task.id, "family")
        assert [known.sharing for known in await store.all([TaskState.OPEN]) if known.id == task.id] == [ALONE]


async def test_who_goes_takes_along_what_they_shared(town: Town) -> None:
    ben, ann = TaskStore(town.scope, town.ids["Ben"]), TaskStore(town.scope, town.ids["Ann"])
    (his,) = await ben.add([Draft("his")], TaskState.OPEN, 1.0)
    (hers,) = await ann.add([Draft("hers")], TaskState.OPEN, 1.0)
    await ben.share(his.id, "family")
    await ann.share(hers.id, "family")
    await town.of("Ann").remove("family", "Ben")
    assert [(task.title, task.sharing) for task in await ben.all([TaskState.OPEN])] == [("his", ALONE)]
    assert [task.title for task in await ann.all([TaskState.OPEN])] == ["hers"]
    await town.of("Ann").delete("family")
    assert [task.sharing for task in await ann.all([TaskState.OPEN])] == [ALONE]


async def test_an_owner_who_is_shut_out_still_shares(town: Town) -> None:
    ann = TaskStore(town.scope, town.ids["Ann"])
    (task,) = await ann.add([Draft("hers")], TaskState.OPEN, 1.0)
    await ann.share(task.id, "family")
    await PeopleStore(town.scope).add("Ada", Role.ADMIN, None, 0.0)
    await PeopleStore(town.scope).set_disabled("Ann", disabled=True)
    assert [each.title for each in await TaskStore(town.scope, town.ids["Vic"]).all([TaskState.OPEN])] == ["hers"]


async def test_administrators_see_who_and_appoint(town: Town) -> None:
    house = AllWorkspaces(town.scope)
    ((workspace, people),) = await house.all()
    assert (workspace.name, [each.name for each in people]) == ("Family", ["Ann", "Ben", "Vic"])
    with pytest.raises(Conflict):
        await house.dismiss("family", "Ann")
    with pytest.raises(NotFound):
        await house.dismiss("family", "Ben")  # no owner
    with pytest.raises(Forbidden):
        await house.appoint("family", "Eve", town.ids["Eve"], 9.0)
    await house.appoint("family", "Vic", town.ids["Eve"], 9.0)
    await house.appoint("family", "Eve", None, 9.0)
    await house.dismiss("family", "Ann")
    async with town.scope.read() as session:
        rows = await session.execute(select(MembershipRow.user_id, MembershipRow.role))
        assert dict(rows.all()) == {
            town.ids["Ben"]: "member",
            town.ids["Vic"]: "owner",
            town.ids["Eve"]: "owner",
        }


async def test_what_was_used_on_its_account(town: Town) -> None:
    workspace = (await town.of("Ann").standing("family")).workspace.id

    def entry(number: int, name: str, *, counted: bool, at: float = 10.0) -> UsageEntry:
        caller = Caller(name, Role.MEMBER, "token", town.ids[name], workspace=workspace if counted else None)
        return UsageEntry(RequestId(f"r{number}"), caller, ModelName("m"), NodeName("n"), at, 1.0, None, 3, 4, "done")

    entries = [entry(1, "Ann", counted=True), entry(2, "Ben", counted=True), entry(3, "Ben", counted=True)]
    old = entry(5, "Ben", counted=True, at=1.0)
    await UsageStore(town.scope).add([*entries, entry(4, "Ben", counted=False), old])
    totals = await town.of("Ann").usage("family", 5.0)
    assert [(each.caller, each.requests, each.prompt_tokens, each.completion_tokens) for each in totals] == [
        ("Ann", 1, 3, 4),
        ("Ben", 2, 6, 8),
    ]
