from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from halext.accounts.types import Role
from halext.hosts.files import write_private
from halext.runtime import masterkey
from halext.runtime.app import App
from halext.runtime.checks import secrets
from halext.runtime.settings import Settings
from halext.runtime.shapes import Finding
from halext.runtime.wiring import open_app
from halext.types import SecretRef
from halext.vault.cipher import key_id, new_key

TYPED = base64.urlsafe_b64encode(b"correct horse battery staple 123").decode()


async def found(app: App) -> list[Finding]:
    return [finding for finding in await secrets.look(app) if finding.level != "ok"]


async def test_a_key_of_our_own_making(app: App) -> None:
    await app.vault.set(SecretRef("discord"), "x")
    assert await found(app) == []


async def test_secrets_that_the_key_does_not_open_and_what_to_do(settings: Settings) -> None:
    async with open_app(settings) as app:
        mia = await app.people.add_user("Mia", Role.MEMBER)
        await app.vault.set(SecretRef("discord"), "x")
        await app.vault.set(SecretRef("openai"), "x", owner=mia.id)
        (old,) = masterkey.read(settings)
    masterkey.path(settings).unlink()
    async with open_app(settings) as app:
        (lost,) = await found(app)
    assert (lost.check, lost.level) == ("vault", "error")
    assert lost.what == "The master key does not open: discord, openai (of Mia)."
    assert key_id(old) in lost.why
    assert str(masterkey.path(settings)) in lost.fix
    assert "halext key set NAME" in lost.fix


async def test_a_key_that_can_be_guessed(settings: Settings) -> None:
    async with open_app(settings.model_copy(update={"master_key": SecretStr(TYPED)})) as app:
        (weak,) = await found(app)
    assert (weak.check, weak.level) == ("master key strength", "error")
    assert "HALEXT_MASTER_KEY" in weak.fix
    assert TYPED not in repr(weak)


@pytest.mark.parametrize("order", ["weak first", "weak last"])
async def test_only_the_key_that_seals_must_be_strong(app: App, order: str) -> None:
    keys = [TYPED, *masterkey.read(app.settings)]
    write_private(masterkey.path(app.settings), ",".join(keys if order == "weak first" else reversed(keys)))
    assert [(f.check, f.fix) for f in await found(app)] == (
        [("master key strength", "halext key rotate")] if order == "weak first" else []
    )


async def test_a_rotation_that_was_not_finished(settings: Settings) -> None:
    async with open_app(settings) as app:
        await app.vault.set(SecretRef("discord"), "x")
    masterkey.add(settings)
    async with open_app(settings) as app:
        (half,) = await found(app)
    assert (half.level, half.fix) == ("warning", "halext key rotate")


async def test_a_key_file_that_is_gone(app: App) -> None:
    from halext.runtime import doctor

    masterkey.path(app.settings).unlink()
    (gone,) = [finding for finding in await doctor.examine(app) if finding.check == "vault"]
    assert "does not exist" in gone.what
    write_private(masterkey.path(app.settings), new_key())
