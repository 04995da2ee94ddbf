from __future__ import annotations

from typing import Any

import discord
import pytest

from halext.testing.discord import FakeDiscord
from halext.testing.discordapi.components import check_message, check_modal, numbered, shown_text, walk
from halext.testing.discordapi.refusal import Refusal
from tests.halext.testing.discordapi.client import Bot, Interaction, answer, online

Component = dict[str, Any]


def button(**more: Any) -> Component:
    return {"type": 2, "style": 1, "label": "Stop", "custom_id": "stop", **more}


def row(*inner: Component) -> Component:
    return {"type": 1, "components": list(inner)}


def menu(**more: Any) -> Component:
    return {"type": 3, "custom_id": "menu", "options": [{"label": "A", "value": "a"}], **more}


def buttons(count: int) -> list[Component]:
    return [button(custom_id=str(number)) for number in range(count)]


def text(length: int) -> Component:
    return {"type": 10, "content": "x" * length}


OPTION = {"label": "A", "value": "a"}
BAD: dict[str, list[Component]] = {
    "six buttons": [row(*buttons(6))],
    "six rows": [row(button(custom_id=str(number))) for number in range(6)],
    "no row": [button()],
    "empty row": [row()],
    "long label": [row(button(label="x" * 81))],
    "no words": [row(button(label=""))],
    "no id": [row(button(custom_id=""))],
    "long id": [row(button(custom_id="x" * 101))],
    "same id": [row(button(), button())],
    "link with id": [row(button(style=5, url="https://example.org"))],
    "link without url": [row({"type": 2, "style": 5, "label": "Site"})],
    "no such style": [row(button(style=7))],
    "two menus": [row(menu(), menu(custom_id="other"))],
    "26 options": [row(menu(options=[{"label": str(n), "value": str(n)} for n in range(26)]))],
    "same value": [row(menu(options=[OPTION, OPTION]))],
    "long option": [row(menu(options=[{"label": "x" * 101, "value": "a"}]))],
    "long placeholder": [row(menu(placeholder="x" * 151))],
    "text outside a layout": [text(1)],
}


@pytest.mark.parametrize("name", BAD)
def test_messages_that_are_refused(name: str) -> None:
    with pytest.raises(Refusal):
        check_message(BAD[name], is_layout=False)


def test_messages_that_are_not() -> None:
    check_message([row(*buttons(5)), row(menu())], is_layout=False)
    check_message([row({"type": 2, "style": 5, "label": "Site", "url": "https://example.org"})], is_layout=False)
    check_message([{"type": 17, "components": [text(2000)]}, text(2000)], is_layout=True)


@pytest.mark.parametrize("components", [[text(4001)], [text(2000), text(2001)], [text(1)] * 41, [button()]])
def test_layouts_that_are_refused(components: list[Component]) -> None:
    with pytest.raises(Refusal):
        check_message(components, is_layout=True)


FIELD = {"type": 4, "custom_id": "words", "style": 1, "label": "Words"}


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x" * 46},
        {"title": ""},
        {"custom_id": "x" * 101},
        {"components": []},
        {"components": [row({**FIELD, "custom_id": str(number)}) for number in range(6)]},
        {"components": [FIELD]},
        {"components": [row({**FIELD, "label": "x" * 46})]},
        {"components": [row({**FIELD, "value": "x" * 4001})]},
        {"components": [row({**FIELD, "value": "xx", "max_length": 1})]},
        {"components": [row({**FIELD, "placeholder": "x" * 101})]},
        {"components": [{"type": 18, "label": "x" * 46, "component": FIELD}]},
    ],
)
def test_modals_that_are_refused(change: dict[str, Any]) -> None:
    modal = {"title": "Persona", "custom_id": "persona", "components": [row(FIELD)]}
    check_modal(modal)
    with pytest.raises(Refusal):
        check_modal({**modal, **change})


def test_every_component_gets_an_id_of_its_own() -> None:
    section = {"type": 9, "components": [text(1)], "accessory": button(id=2)}
    every = list(walk(numbered([section, row(menu())])))
    assert sorted(one["id"] for one in every) == [1, 2, 3, 4, 5]
    assert [one["type"] for one in every] == [9, 10, 2, 1, 3]
    assert "id" not in section


def test_what_a_layout_says() -> None:
    assert shown_text([{"type": 17, "components": [text(1), row(button())]}, text(2)]) == "x\nxx"


async def test_layouts_follow_a_defer_and_menus_are_chosen_from(fake: FakeDiscord) -> None:
    ada = fake.user("Ada")
    room = fake.channel(fake.guild("Home", ada), "general")
    bot = Bot()

    class Models(discord.ui.LayoutView):
        intro: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay("Choose one")
        row: discord.ui.ActionRow[Any] = discord.ui.ActionRow()

        @row.select(placeholder="Models", options=[discord.SelectOption(label="Llama", value="llama3")])
        async def chosen(self, interaction: Interaction, menu: discord.ui.Select[Any]) -> None:
            self.clear_items().add_item(discord.ui.TextDisplay(f"You chose {menu.values[0]}"))
            await interaction.response.edit_message(view=self)

    @bot.tree.command(description="Models")
    async def models(interaction: Interaction) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(view=Models())

    async with online(fake, bot):
        ada.slash("models", channel=room)
        shown = await answer(fake, room, "Choose one")
        ada.select(shown, "Models", "Llama")
        await answer(fake, room, "You chose llama3")
        with pytest.raises(discord.HTTPException, match="cannot be used when using MessageFlags"):
            await bot.get_partial_messageable(room.id).get_partial_message(shown.id).edit(content="plain")
