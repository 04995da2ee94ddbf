from __future__ import annotations

from halext.accounts.types import LOCAL, Role
from halext.runtime.app import App
from halext.runtime.checks import people


async def test_nobody_is_an_administrator(app: App) -> None:
    (finding,) = await people.look(app)
    assert (finding.check, finding.level) == ("first admin", "warning")
    assert "halext user add NAME --role admin" in finding.fix


async def test_tokens_of_administrators_that_never_end(app: App) -> None:
    for name, role in (("Ada", Role.ADMIN), ("Mia", Role.MEMBER), ("Old", Role.ADMIN)):
        await app.people.add_user(name, role)
    await app.people.create_token(LOCAL, "phone", for_user="Mia")
    await app.people.create_token(LOCAL, "backup", 3600.0, for_user="Ada")
    await app.people.create_token(LOCAL, "past", for_user="Old")
    await app.people.set_disabled("Old", disabled=True)
    assert [finding.level for finding in await people.look(app)] == ["ok", "ok"]
    _, info = await app.people.create_token(LOCAL, "laptop", for_user="Ada")
    _, finding = await people.look(app)
    assert finding.level == "note"
    assert finding.what == f"Valid for ever, with an administrator's rights: laptop of Ada (id {info.id})."
