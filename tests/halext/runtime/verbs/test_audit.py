"""What a whole house writes down."""

from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import Forbidden, InvalidInput, Unauthenticated
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddUser, CreateToken, Nothing, SetRole
from halext.runtime.shapes_audit import ListAudit
from halext.runtime.verbs.audit import list_audit
from halext.runtime.verbs.people import add_user, create_token, list_users, set_role
from halext.types import UserId


async def test_what_was_done_is_on_record(app: App, control: LocalControl) -> None:
    await control.call(add_user, AddUser(name="Eve", role="member", password="battery staple"))
    made = await control.call(create_token, CreateToken(name="notebook", user="Eve"))
    await control.call(set_role, SetRole(name="Eve", role="admin"))
    await control.call(list_users, Nothing())
    with pytest.raises(Unauthenticated):
        await app.people.sign_in("eve", "wrong horses", address="10.0.0.1")
    await app.people.sign_in("Eve", "battery staple", address="10.0.0.1")
    found = await control.call(list_audit, ListAudit())
    assert [(entry.action, entry.name, entry.subject, entry.outcome) for entry in found[::-1]] == [
        ("people.add-user", "owner", "Eve", "ok"),
        ("people.create-token", "owner", "notebook", "ok"),
        ("people.set-role", "owner", "Eve", "ok"),
        ("people.list-users", "owner", "", "ok"),
        ("people.sign-in", "stranger", "Eve", "failed"),
        ("people.sign-in", "Eve", "", "ok"),
    ]
    assert found[-2].details == {"name": "notebook", "user": "Eve", "made": made.info.id}
    assert found[0].address == "10.0.0.1"
    text = repr(found)
    assert "battery" not in text
    assert made.token not in text


async def test_pages(app: App, control: LocalControl) -> None:
    for number in range(5):
        await app.audit.write("nodes.drain-node", LOCAL, str(number))
    first = await control.call(list_audit, ListAudit(limit=3, action="nodes"))
    rest = await control.call(list_audit, ListAudit(limit=3, action="nodes", after=first[-1].id))
    assert [entry.subject for entry in first + rest] == ["4", "3", "2", "1", "0"]
    with pytest.raises(InvalidInput):
        await control.call(list_audit, ListAudit(limit=0))


async def test_members_see_nothing_and_that_is_on_record(app: App) -> None:
    mia = Caller("Mia", Role.MEMBER, "token", UserId(2))
    with pytest.raises(Forbidden):
        await list_audit(app, mia, ListAudit())
    (entry,) = await list_audit(app, LOCAL, ListAudit(who="mia"))
    assert (entry.action, entry.outcome) == ("audit.list-audit", "denied")
