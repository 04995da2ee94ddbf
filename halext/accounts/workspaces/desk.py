"""Workspaces for the doors: making them, who is in them, and asking on their account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from halext.accounts.policy import clean_name, require
from halext.accounts.types import Caller, Permission, UsageTotal
from halext.accounts.workspaces import policy
from halext.accounts.workspaces.store import AllWorkspaces, WorkspaceStore
from halext.accounts.workspaces.types import Membership, Standing, Workspace, WorkspaceRole
from halext.errors import Forbidden, UnknownWorkspace
from halext.storage.scope import Scope
from halext.types import Clock, WorkspaceId


class Workspaces:
    """Everyone's workspaces, each time for one caller.

    A workspace that the caller is not in is an `UnknownWorkspace`, in the same words as one that does not exist.
    """

    def __init__(self, scope: Scope, clock: Clock, changed: Callable[[], None]) -> None:
        """`changed` is called after each change that may end someone's access."""
        self._scope = scope
        self._clock = clock
        self._changed = changed

    async def create(self, caller: Caller, name: str) -> Standing:
        """A new workspace, owned by the caller. Raises `Forbidden` for guests, `InvalidInput` and `AlreadyExists`."""
        policy.check_creator(caller)
        return await self._of(caller).create(clean_name(name), self._clock.now())

    async def mine(self, caller: Caller) -> list[Standing]:
        """The caller's workspaces, by name."""
        return await self._of(caller).all()

    async def people(self, caller: Caller, name: str) -> tuple[Standing, list[Membership]]:
        """A workspace of the caller's, and who is in it."""
        return await self._of(caller).people(name)

    async def add(self, caller: Caller, name: str, whom: str, role: WorkspaceRole) -> None:
        """Take someone in. Raises `Forbidden` for all but owners, `NotFound` and `AlreadyExists`."""
        await self._of(caller).add(name, whom, role, self._clock.now())

    async def set_role(self, caller: Caller, name: str, whom: str, role: WorkspaceRole) -> None:
        """Make someone something else in it. Raises as `add`, and `Conflict` for the last owner."""
        await self._of(caller).set_role(name, whom, role)
        self._changed()

    async def remove(self, caller: Caller, name: str, whom: str) -> None:
        """Take someone out, or leave; what they shared in it is theirs alone again. Raises as `set_role`."""
        await self._of(caller).remove(name, whom)
        self._changed()

    async def rename(self, caller: Caller, name: str, new: str) -> Workspace:
        """Call it something else. Raises `Forbidden` for all but owners, `InvalidInput` and `AlreadyExists`."""
        return await self._of(caller).rename(name, clean_name(new))

    async def delete(self, caller: Caller, name: str) -> None:
        """End it; what was shared in it is its owners' alone again. Raises `Forbidden` for all but owners."""
        await self._of(caller).delete(name)
        self._changed()

    async def usage(self, caller: Caller, name: str, since: float) -> list[UsageTotal]:
        """What was used on its account, by person and model. Raises `Forbidden` for all but owners."""
        return await self._of(caller).usage(name, since)

    async def on_behalf(self, caller: Caller, name: str) -> Caller:
        """The caller, with what they do counted for this workspace.

        Raises `UnknownWorkspace`, also for callers without an account, and `Forbidden` for viewers.
        """
        if caller.user_id is None:
            raise UnknownWorkspace
        standing = await self._of(caller).standing(name)
        policy.check_writer(standing.role)
        return replace(caller, workspace=standing.workspace.id)

    async def still_on_behalf(self, caller: Caller, workspace: WorkspaceId) -> Caller:
        """The same for what was ordered earlier and is done now. Raises `Forbidden` for who may not do that any more.

        It is not done on their own account instead: that is not what they ordered.
        """
        try:
            standing = await self._of(caller).numbered(workspace)
            policy.check_writer(standing.role)
        except (UnknownWorkspace, Forbidden):
            raise Forbidden(
                "You may not ask on the account of its workspace any more, so it was not done; order it again."
            ) from None
        return replace(caller, workspace=workspace)

    # --- for those who manage people ---

    async def everyones(self, caller: Caller) -> list[tuple[Workspace, list[Membership]]]:
        """All workspaces and who is in them. Raises `Forbidden`."""
        return await self._all(caller).all()

    async def appoint(self, caller: Caller, name: str, whom: str) -> None:
        """Make someone an owner, such as when the only one has left. Raises `Forbidden` and `NotFound`."""
        await self._all(caller).appoint(name, whom, caller.user_id, self._clock.now())

    async def dismiss(self, caller: Caller, name: str, whom: str) -> None:
        """Take an owner out. Raises `Forbidden`, `NotFound`, and `Conflict` for the last one."""
        await self._all(caller).dismiss(name, whom)
        self._changed()

    def _of(self, caller: Caller) -> WorkspaceStore:
        return WorkspaceStore(self._scope, policy.person(caller))

    def _all(self, caller: Caller) -> AllWorkspaces:
        require(caller, Permission.MANAGE_PEOPLE)
        return AllWorkspaces(self._scope)
