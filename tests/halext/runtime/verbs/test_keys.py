from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Forbidden, InvalidInput, UnknownSecret
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Named, Nothing, SetKey
from halext.runtime.verbs import keys
from halext.types import SecretRef


async def test_secrets_go_in_and_never_come_out(app: App, control: LocalControl) -> None:
    told = [
        await control.call(keys.set_key, SetKey(name="discord", value="the-secret")),
        await control.call(keys.list_keys, Nothing()),
    ]
    assert "the-secret" not in repr(told)
    assert await app.vault.reveal(SecretRef("discord")) == "the-secret"
    await control.call(keys.remove_key, Named(name="discord"))
    with pytest.raises(UnknownSecret):
        await control.call(keys.remove_key, Named(name="discord"))


@pytest.mark.parametrize("name", ["webhook/slack", "webhook/discord"])
async def test_a_webhook_that_is_none_is_said_at_once(app: App, control: LocalControl, name: str) -> None:
    with pytest.raises(InvalidInput, match="its URL looks like https://") as failure:
        await control.call(keys.set_key, SetKey(name=name, value="https://evil.example/SECRET"))
    assert "SECRET" not in failure.value.message
    assert await app.vault.list() == ()
    slack, discord = "https://hooks.slack.com/services/T0/B0/x", "https://discord.com/api/webhooks/1/x"
    await control.call(keys.set_key, SetKey(name=name, value=slack if name.endswith("slack") else discord))


async def test_members_have_no_business_in_the_vault(app: App) -> None:
    member = LocalControl(app, Caller("m", Role.MEMBER, "token"))
    with pytest.raises(Forbidden):
        await member.call(keys.set_key, SetKey(name="x", value="y"))
