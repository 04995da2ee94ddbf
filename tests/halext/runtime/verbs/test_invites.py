from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Forbidden, InvalidInput, SignInAgain
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Nothing
from halext.runtime.shapes_identity import InviteRef, MakeInvite
from halext.runtime.verbs import invites


async def test_an_invite_is_made_listed_and_ended(app: App, control: LocalControl) -> None:
    made = await control.call(invites.make_invite, MakeInvite(role="guest", days=3, note="Ann"))
    assert made.link == f"http://127.0.0.1:0/welcome?invite={made.code}"
    assert made.info.expires_at - made.info.created_at == pytest.approx(3 * 24 * 3600, abs=5)
    listed = await control.call(invites.list_invites, Nothing())
    assert listed == [made.info]
    assert made.code not in repr(listed)
    await control.call(invites.end_invite, InviteRef(made.info.id))
    with pytest.raises(Forbidden):
        await app.invites.claim(made.code, "Ann", "correct horse battery")


@pytest.mark.parametrize("days", [0, 15, -1])
async def test_two_weeks_at_most(control: LocalControl, days: float) -> None:
    with pytest.raises(InvalidInput):
        await control.call(invites.make_invite, MakeInvite(days=days))


async def test_the_link_leads_to_where_people_find_it(app: App, control: LocalControl) -> None:
    app.base_url = "http://127.0.0.1:1234/"
    made = await control.call(invites.make_invite, MakeInvite())
    assert made.link.startswith("http://127.0.0.1:1234/welcome?invite=hxi_")


async def test_an_old_sign_in_does_not_invite(app: App) -> None:
    old = Caller("Ann", Role.ADMIN, "session", signed_in_at=app.clock.now() - 3601)
    with pytest.raises(SignInAgain):
        await LocalControl(app, old).call(invites.make_invite, MakeInvite())
