from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Forbidden, NotFound, Unauthenticated
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddUser, Named, Nothing
from halext.runtime.shapes_identity import ChangePassword, SessionRef
from halext.runtime.verbs import people, sessions

PASSWORD = "correct horse battery"


async def sign_in(app: App, password: str = PASSWORD) -> tuple[str, LocalControl]:
    session, _ = await app.people.sign_in("Ann", password, address="192.0.2.1")
    return session, LocalControl(app, await app.people.caller_for(session))


async def test_ones_own_sign_ins_are_seen_and_ended(app: App, control: LocalControl) -> None:
    await control.call(people.add_user, AddUser(name="Ann", password=PASSWORD))
    first, ann = await sign_in(app)
    second, _ = await sign_in(app)
    rows = await ann.call(sessions.list_sessions, Nothing())
    assert [(row.current, row.address) for row in rows] == [(False, "192.0.2.1"), (True, "192.0.2.1")]
    await ann.call(sessions.end_session, SessionRef(rows[0].id))
    with pytest.raises(NotFound):
        await ann.call(sessions.end_session, SessionRef(rows[0].id))
    assert (await app.people.caller_for(first)).name == "Ann"
    await ann.call(sessions.change_password, ChangePassword(PASSWORD, "another good one"))
    assert "everywhere" in (await ann.call(sessions.sign_out_everywhere, Nothing())).message
    for ended in (first, second):
        with pytest.raises(Unauthenticated):
            await app.people.caller_for(ended)
    third, _ = await sign_in(app, "another good one")
    assert "Ann" in (await control.call(sessions.sign_out_user, Named("ann"))).message
    with pytest.raises(Unauthenticated):
        await app.people.caller_for(third)


async def test_members_sign_nobody_else_out(app: App) -> None:
    member = LocalControl(app, Caller("m", Role.MEMBER, "session"))
    with pytest.raises(Forbidden):
        await member.call(sessions.sign_out_user, Named("Ann"))
