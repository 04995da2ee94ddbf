from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import LOCAL, Caller, Role
from halext.accounts.workspaces import policy
from halext.accounts.workspaces.types import Access, WorkspaceRole
from halext.errors import Conflict, Forbidden, InvalidInput
from halext.types import UserId

OWNER, MEMBER, VIEWER = WorkspaceRole


def test_a_workspace_is_for_people() -> None:
    assert policy.person(Caller("ann", Role.MEMBER, "token", UserId(4))) == 4
    with pytest.raises(InvalidInput, match="for people"):
        policy.person(LOCAL)


@pytest.mark.parametrize(("role", "may"), [(Role.ADMIN, True), (Role.MEMBER, True), (Role.GUEST, False)])
def test_guests_make_none(role: Role, may: bool) -> None:
    caller = Caller("ann", role, "session", UserId(1))
    if may:
        policy.check_creator(caller)
    else:
        with pytest.raises(Forbidden, match="Guests"):
            policy.check_creator(caller)


@pytest.mark.parametrize(("role", "decides", "writes"), [(OWNER, 1, 1), (MEMBER, 0, 1), (VIEWER, 0, 0)])
def test_what_a_role_allows(role: WorkspaceRole, decides: int, writes: int) -> None:
    for check, may in ((policy.check_owner, decides), (policy.check_writer, writes)):
        if may:
            check(role)
        else:
            with pytest.raises(Forbidden):
                check(role)


@pytest.mark.parametrize(("has", "needs"), list(product(Access, Access)))
def test_more_includes_less(has: Access, needs: Access) -> None:
    if has >= needs:
        policy.check_access(has, needs)
    else:
        with pytest.raises(Forbidden, match="shared with you"):
            policy.check_access(has, needs)


@given(st.lists(st.sampled_from(WorkspaceRole)))
def test_there_is_always_an_owner(roles: list[WorkspaceRole]) -> None:
    if OWNER in roles:
        policy.check_owned(iter(roles))
    else:
        with pytest.raises(Conflict, match="last owner"):
            policy.check_owned(iter(roles))


def test_an_administrator_lets_others_in_and_not_themselves() -> None:
    ada, ben = UserId(1), UserId(2)
    policy.check_appointment(ada, ben, is_inside=False)
    policy.check_appointment(None, ben, is_inside=False)
    policy.check_appointment(ada, ada, is_inside=True)
    with pytest.raises(Forbidden, match="themselves"):
        policy.check_appointment(ada, ada, is_inside=False)
