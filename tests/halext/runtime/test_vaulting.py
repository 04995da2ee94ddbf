"""The vault of a whole house: a lost key, and uses on record."""

from __future__ import annotations

import pytest

from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL, Role
from halext.errors import WrongKey
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from halext.types import SecretRef


async def test_a_lost_master_key_loses_nothing_else(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with open_app(settings) as app:
        await app.vault.set(SecretRef("discord"), "a secret")
    (settings.data_dir / "master.key").unlink()
    caplog.clear()
    async with open_app(settings) as app:
        (line,) = [record.getMessage() for record in caplog.records if record.name == "halext.runtime.vaulting"]
        assert "does not open discord" in line
        assert "halext key set NAME" in line
        assert [info.ref for info in await app.vault.check()] == ["discord"]
        with pytest.raises(WrongKey):
            await app.vault.reveal(SecretRef("discord"), purpose="a test")
        assert await app.people.list_users() == []


async def test_uses_of_secrets_are_on_record_without_the_secret(app: App) -> None:
    mia = await app.people.add_user("Mia", Role.MEMBER)
    await app.vault.set(SecretRef("discord"), "hush")
    await app.vault.set(SecretRef("openai"), "hush", owner=mia.id)
    await app.vault.reveal(SecretRef("discord"), purpose="a test")
    await app.vault.reveal(SecretRef("openai"), purpose="a test", by="Mia", owner=mia.id)
    newest, older = await app.audit.page(LOCAL, Query(action="keys.use"))
    assert (older.name, older.subject, dict(older.details)) == (
        "house",
        "discord",
        {"purpose": "a test", "owner": None},
    )
    assert (newest.name, newest.subject, newest.details["owner"]) == ("Mia", "openai", mia.id)
    assert "hush" not in repr([newest, older])
